//! Thousands of nodemaps by one request, beyond every limit on its way: the body of an HTTP request, a transaction and a
//! value of etcd, a commit record in one piece. Servers read them once.

use super::daemon::Daemon;
use mgs_api::{NodemapEdit as Edit, NodemapEdits, NodemapIdKind, Nodemaps};
use store_backends::Store;
use store_backends::conformance::cluster::{Cluster, Settings};

const NODEMAPS: usize = 12_000;
/// Largest body that is taken elsewhere.
const BODY: usize = 1 << 20;

fn name(n: usize) -> String {
    format!("tenant_{n:05}")
}

fn into() -> NodemapEdits {
    let one = |n: usize| {
        let nodemap = name(n);
        let net = format!("10.{}.{}.0/24@tcp", n / 256, n % 256);
        [
            Edit::Add { nodemap: nodemap.clone() },
            Edit::AddRange { nodemap: nodemap.clone(), range: net },
            Edit::AddIdmap { nodemap, kind: NodemapIdKind::Uid, map: format!("500-501:{n}") },
        ]
    };
    NodemapEdits { edits: (0..NODEMAPS).flat_map(one).collect() }
}

fn out() -> NodemapEdits {
    NodemapEdits { edits: (0..NODEMAPS).map(|n| Edit::Del { nodemap: name(n) }).collect() }
}

/// In and out; `follower`: another daemon on the same store.
async fn in_and_out(daemon: &Daemon, follower: Option<&Daemon>) -> u64 {
    let api = daemon.api().await;
    let server = daemon.node(1, 1).await;
    server.host.mount_mdt("testfs", 0).await.unwrap();
    server.until("the index of an untouched MGS", |s| !s.nodemaps.is_empty()).await;
    let (fresh, reads) = (server.state().nodemaps[0], server.state().nodemaps.len());
    assert_eq!(reads, 1);

    let edits = into();
    assert!(serde_json::to_vec(&edits).unwrap().len() > 2 * BODY);
    let before = api.status().await.unwrap().seq;
    let done = api.nodemap_edit(&edits, false).await.unwrap();
    assert_eq!(done.seq, Some(before + 1), "one commit");
    server.until("all nodemaps", |s| s.nodemaps.last() == Some(&(fresh + 4 * NODEMAPS))).await;
    let all = api.nodemaps().await.unwrap();
    assert_eq!(all.items.len(), NODEMAPS + 1);
    if let Some(follower) = follower {
        let other = follower.node(2, 1).await;
        other.host.mount_ost("testfs", 0).await.unwrap();
        let records = fresh + 4 * NODEMAPS;
        other.until("all nodemaps from the other daemon", |s| s.nodemaps == [records]).await;
        let there: Nodemaps = follower.api().await.nodemaps().await.unwrap();
        assert_eq!(there.items, all.items);
    }

    let before = api.status().await.unwrap().seq;
    let done = api.nodemap_edit(&out(), false).await.unwrap();
    assert_eq!(done.seq, Some(before + 1), "one commit");
    server.until("none", |s| s.nodemaps.last() == Some(&fresh)).await;
    assert_eq!(server.state().nodemaps, [fresh, fresh + 4 * NODEMAPS, fresh], "read once for each batch");
    assert_eq!(server.state().violations, Vec::<String>::new());
    assert_eq!(api.nodemaps().await.unwrap().items.len(), 1);
    before + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_nodemaps_come_and_go_by_one_request_each() {
    let mut daemon = Daemon::new().await;
    in_and_out(&daemon, None).await;
    daemon.kill().await;
    daemon.start().await;
    assert_eq!(daemon.api().await.nodemaps().await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_nodemaps_are_one_commit_on_etcd_too() {
    let cluster = Cluster::start(1, &Settings::default());
    let url = cluster.url("site");
    let config = format!("check_interval = 1\nstore = \"{url}\"\n");
    let daemon = Daemon::with(&config).await;
    let follower = Daemon::with(&config).await;
    let last = in_and_out(&daemon, Some(&follower)).await;
    // what lies in the cluster now: one large plan after the other, and nothing of them left to do
    let below = cluster.open(&url).await;
    let staged = below.range("staged/").await.unwrap().entries;
    let staged: Vec<_> = staged.iter().map(|e| (e.key.as_str(), e.value.clone())).collect();
    assert_eq!(staged, [("staged/last", last.to_string().into_bytes())]);
    assert_eq!(below.range("nodemap/").await.unwrap().entries, []);
    assert!(below.range("part/").await.unwrap().entries.len() > 1, "a record in parts");
}
