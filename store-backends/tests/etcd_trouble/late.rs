//! A request that arrives after its sender was given up.

use std::sync::Arc;
use std::time::Duration;

use store_backends::Store;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::{EtcdConfig, EtcdStore};

use super::proxy::Proxy;
use super::{commit, put, request, run};

/// The record is padded, so that the proxy can tell a commit from other traffic.
const PADDING: usize = 8 << 10;
/// Longer than frames of HTTP/2 without an answer in them.
const ANSWER: usize = 60;

/// A daemon dies while its commit is on the way. Another one may ask for its fate; then the commit arrives.
async fn arrives_late(somebody_asks: bool) -> (u64, Option<u64>) {
    let cluster = Cluster::start(1, &Settings::default());
    let proxy = Proxy::start(cluster.port(0)).await;
    let direct = cluster.open(&cluster.url("late")).await;
    // patient: if it gave up while somebody asks, its request would be withdrawn, not late
    let through = format!("etcd:http://127.0.0.1:{}/mgsd/late", proxy.port);
    let patient = EtcdConfig { timeout: Duration::from_secs(300), ..EtcdConfig::parse(&through).unwrap() };
    let dying = Arc::new(EtcdStore::open(&patient).await.unwrap());
    assert_eq!(commit(&dying, vec![put("fs/a", "1")]).await.0, 1);

    proxy.hold();
    let mut late = request(1, vec![put("fs/a", "late")]);
    let txn = late.txn;
    late.record = format!(r#"{{"txn":"{txn}","padding":"{}"}}"#, "x".repeat(PADDING)).into_bytes();
    let task = tokio::spawn(async move { dying.commit(late).await });
    proxy.holds(PADDING).await;
    if somebody_asks {
        assert_eq!(direct.find_txn(txn, 1).await, Ok(None));
    }
    proxy.release(ANSWER).await;
    task.abort();
    (direct.barrier().await.unwrap(), direct.find_txn(txn, 1).await.unwrap())
}

#[test]
fn who_was_told_no_stays_right() {
    run(async { assert_eq!(arrives_late(true).await, (1, None)) });
}

/// The other way round: without the question the same commit is done, so the test above sees what it looks for.
#[test]
fn without_a_question_it_is_done() {
    run(async { assert_eq!(arrives_late(false).await, (2, Some(2))) });
}
