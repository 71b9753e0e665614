//! A thread that owns one connection; the async side sends it closures.

use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::db::Db;
use super::failure::io_failed;
use crate::StoreError;

type Job = Box<dyn FnOnce(&mut Db) + Send>;

/// Jobs run one after the other, in the order of their calls. Dropping the worker finishes what is queued,
/// closes the connection and waits for that.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread `name`; `path` is for messages only.
    pub(super) fn start(name: &str, path: &Path, mut db: Db) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let run = move || {
            for job in queue {
                job(&mut db);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(io_failed(path, "start its thread"))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `job` on the connection; `None` when the thread is gone. A job whose caller has gone still runs.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Db) -> R + Send + 'static,
    ) -> Option<R> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |db| drop(answer.send(job(db))));
        self.jobs.as_ref()?.send(job).ok()?;
        answered.await.ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // a job that panicked has reported through its dropped answer
            drop(thread.join());
        }
    }
}
