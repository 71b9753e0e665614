//! mgsd in this process, on loopback, with a store of its own.
use crate::Error;
use clap::Parser;
use mgs_api::{Address, Client};
use mgsd::config::{Arguments, Config};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use wire::Nid;

/// A running mgsd.
#[derive(Debug)]
pub struct Daemon {
    /// Where LNet listens.
    pub lnet: SocketAddr,
    /// Its API.
    pub api: Client,
    nid: Nid,
    ir_timeout: Duration,
    stop: oneshot::Sender<()>,
    /// A runtime of its own, whose end ends every task of the daemon and closes its store.
    thread: JoinHandle<Result<(), Error>>,
    /// Kept until the daemon has ended.
    data: TempDir,
}

/// An mgsd that was stopped; its store waits for the next start.
#[derive(Debug)]
pub struct Stopped {
    nid: Nid,
    ir_timeout: Duration,
    port: u16,
    data: TempDir,
}

impl Daemon {
    /// Starts one with a fresh store and the NID of the recorded MGS; `ir_timeout` as that MGS had it.
    ///
    /// # Errors
    /// No place for its store, or it does not start.
    pub async fn start(nid: Nid, ir_timeout: Duration) -> Result<Self, Error> {
        let data = tempfile::tempdir().map_err(|e| Error::Daemon(format!("no temporary directory: {e}")))?;
        Stopped { nid, ir_timeout, port: 0, data }.start().await
    }

    /// The socket of its API, for programs.
    pub fn socket(&self) -> PathBuf {
        self.data.path().join("api.sock")
    }

    /// Ends it, and says what `mgsd check` finds in its store.
    ///
    /// # Errors
    /// It ended by itself or in disorder, or the store cannot be read.
    pub async fn stop(self) -> Result<Vec<String>, Error> {
        let Stopped { data, .. } = self.pause().await?;
        let check = move || {
            let place = store_backends::Place::Sqlite(data.path().join("data"));
            mgsd::daemon::check(&place).map_err(|e| Error::Daemon(e.to_string()))
        };
        tokio::task::spawn_blocking(check).await.map_err(|e| Error::Daemon(e.to_string()))?
    }

    /// Ends it for a while: nobody listens, the store is kept.
    ///
    /// # Errors
    /// It ended by itself or in disorder.
    pub async fn pause(self) -> Result<Stopped, Error> {
        let Self { lnet, nid, ir_timeout, stop, thread, data, .. } = self;
        let lost = |what: &dyn std::fmt::Debug| Error::Daemon(format!("did not end in order: {what:?}"));
        stop.send(()).map_err(|()| lost(&"it had ended before"))?;
        let end = move || thread.join().map_err(|_| lost(&"it panicked"))?;
        tokio::task::spawn_blocking(end).await.map_err(|e| Error::Daemon(e.to_string()))??;
        Ok(Stopped { nid, ir_timeout, port: lnet.port(), data })
    }
}

impl Stopped {
    /// The next start has another `ir_timeout`.
    #[must_use]
    pub fn with_ir_timeout(mut self, ir_timeout: Duration) -> Self {
        self.ir_timeout = ir_timeout;
        self
    }

    /// The next start is on another node, with the same storage: a fail-over of the MGS.
    #[must_use]
    pub fn with_nid(mut self, nid: Nid) -> Self {
        self.nid = nid;
        self
    }

    /// Where its store is.
    pub fn store(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Starts it on its store, where it listened before.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(self) -> Result<Daemon, Error> {
        let Self { nid, ir_timeout, port, data } = self;
        let socket = data.path().join("api.sock");
        let arguments = Arguments::try_parse_from([
            "mgsd".into(),
            "--data".into(),
            data.path().join("data").into_os_string(),
            "--nid".into(),
            nid.to_string().into(),
            "--port".into(),
            port.to_string().into(),
            "--bind".into(),
            "127.0.0.1".into(),
            "--api".into(),
            format!("unix:{}", socket.display()).into(),
        ]);
        let arguments = arguments.map_err(|e| Error::Daemon(e.to_string()))?;
        let mut config = Config::new(&arguments).map_err(|e| Error::Daemon(e.to_string()))?;
        config.ir_timeout = ir_timeout;
        // As in the recorded logs.
        config.dead_sections = true;
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let failed = |e: &dyn std::fmt::Display| Error::Daemon(e.to_string());
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let stopped = async {
                let _ = stopped.await; // dropped counts as said
            };
            let ready = |running: &mgsd::daemon::Running| {
                // Nobody waits any more when the start was given up.
                let _ = ready.send(running.addresses.first().copied());
            };
            let served =
                runtime.map_err(|e| failed(&e))?.block_on(mgsd::daemon::serve(config, ready, stopped));
            served.map_err(|e| failed(&e))
        });
        let Ok(lnet) = is_ready.await else {
            return Err(Error::Daemon(format!("ended at once: {:?}", thread.join())));
        };
        let lnet = lnet.ok_or_else(|| Error::Daemon("listens nowhere".to_owned()))?;
        let address: Address = format!("unix:{}", socket.display())
            .parse()
            .map_err(|e| Error::Daemon(format!("address of the API: {e}")))?;
        Ok(Daemon { lnet, api: Client::new(address), nid, ir_timeout, stop, thread, data })
    }
}
