//! Routes over a real Unix socket, asked by the typed client and, for what that cannot say, in raw bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mgs_api::{Client, Error, List, Problem, ProblemKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{LogFile, Mgs, Order, UnixApi, router};

mod description;
#[path = "fake.rs"]
mod fake;
mod refusals;
mod routes;
mod socket;

use fake::{Fake, Gate};

/// A fake daemon on a socket of its own.
struct Daemon {
    dir: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Daemon {
    async fn start(fake: Fake) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let api = UnixApi::bind(&dir.path().join("api.sock")).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(api.serve(router(Arc::new(fake)), async move {
            // An error is a dropped sender: the test is over.
            let _ = stopped.await;
        }));
        Daemon { dir, stop, served }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    async fn client(&self) -> Client {
        Client::connect(&format!("unix:{}", self.path().display())).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }

    /// Sends bytes and returns everything that comes back.
    async fn raw(&self, request: &[u8]) -> String {
        raw(&self.path(), request).await
    }

    /// The problem that a request line is answered with.
    async fn problem(&self, line: &str) -> (String, Problem) {
        let answer = self.raw(format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/problem+json"), "{answer}");
        (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
    }
}

async fn raw(path: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The problem in a refusal.
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>) -> Problem {
    match answer {
        Err(Error::Refused(problem)) => *problem,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
