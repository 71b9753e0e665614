//! The doorbell: a watch on `seq`, and a read wherever a watch may have missed something.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Error, WatchOptions, WatchStream};
use tokio::task::AbortHandle;

use super::Cluster;
use crate::key::SEQ_KEY;

/// A watch that is silent for so long is not trusted: `seq` is read.
const SILENCE: Duration = Duration::from_secs(5);
/// Between two attempts while no member answers.
const PAUSE: Duration = Duration::from_millis(250);

/// The task that watches, once somebody waits.
#[derive(Default)]
pub(super) struct Bell {
    task: Mutex<Option<AbortHandle>>,
}

impl Bell {
    /// Starts watching; no effect when that goes on already.
    pub(super) fn hang_up(&self, cluster: &Arc<Cluster>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            *task = Some(tokio::spawn(ring_for_ever(Arc::clone(cluster))).abort_handle());
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

/// Reads where the store is (which rings), watches from there on, and begins anew when the watch ends.
async fn ring_for_ever(cluster: Arc<Cluster>) {
    loop {
        if let Ok((_, revision)) = cluster.seq_and_revision().await
            && let Ok(stream) = open(&cluster, revision.saturating_add(1)).await
        {
            follow(&cluster, stream).await;
            continue;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open(cluster: &Cluster, from: i64) -> Result<WatchStream, super::members::Failure> {
    let key = cluster.shape.full(SEQ_KEY);
    let call = |client: Arc<etcd_client::Client>| {
        let key = key.clone();
        async move {
            let options = WatchOptions::new().with_start_revision(from);
            let mut stream = client.watch_client().watch(key, Some(options)).await?;
            // the first message confirms the watch, or refuses it
            match stream.message().await? {
                Some(first) if first.created() && !first.canceled() => Ok(stream),
                _ => Err(Error::WatchError("the cluster refused the watch".to_owned())),
            }
        }
    };
    cluster.members.once(&call).await
}

/// Returns when the watch has ended, for whatever reason, or has missed something.
async fn follow(cluster: &Cluster, mut stream: WatchStream) {
    loop {
        match tokio::time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(message))) if !message.canceled() => {
                for kv in message.events().iter().filter_map(etcd_client::Event::kv) {
                    match cluster.shape.at(Some(kv)) {
                        Ok(at) => cluster.saw(at),
                        // damaged, or deleted by a stranger: a read says which
                        Err(_) => return,
                    }
                }
            }
            Ok(_) => return,
            Err(_) => {
                let heard = *cluster.ring.borrow();
                match cluster.seq().await {
                    Ok(at) if at.seq <= heard => {}
                    _ => return,
                }
            }
        }
    }
}
