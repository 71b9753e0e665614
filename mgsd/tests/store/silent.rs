//! A backend that answers nothing, under a whole daemon: nodes read on, changes are refused with the cause, and when it
//! answers again everything goes on by itself.

use async_trait::async_trait;
use lnet_proxy::{Link, link};
use lustre_peer::host::{HostConfig, PeerHost};
use mgs_api::Status;
use mgs_core::engine::Config;
use mgsd::drive::{self, Identity};
use mgsd::http::Mgs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store_backends::sqlite::SqliteStore;
use store_backends::{CommitOutcome, CommitRequest, Limits, RangeReply, Seq, Snapshot, Store, StoreError};
use tokio::sync::watch;
use wire::Nid;

const MGS: &str = "127.0.0.1@tcp";

/// While it is shut, no call ends.
struct Gate {
    store: SqliteStore,
    shut: watch::Sender<bool>,
}

impl Gate {
    async fn pass(&self) -> &SqliteStore {
        self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
        &self.store
    }
}

#[async_trait]
impl Store for Gate {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.pass().await.range(prefix).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.pass().await.barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        self.pass().await.commit(req).await
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.pass().await.wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.pass().await.commits(after, limit).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.pass().await.snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        self.pass().await.restore(s).await
    }
    fn describe(&self) -> String {
        self.store.describe()
    }
    fn limits(&self) -> Limits {
        self.store.limits()
    }
}

/// Asks until the daemon says so: nobody is told of it otherwise.
async fn until(handle: &drive::Handle, enough: impl Fn(&Status) -> bool) -> Status {
    let asking = async {
        loop {
            let status = handle.status().await.unwrap();
            if enough(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.expect("it never says so")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_answers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate { store: SqliteStore::open(dir.path()).unwrap(), shut: watch::Sender::new(false) };
    let gate = Arc::new(gate);
    let store = mgs_api::StoreInfo {
        kind: "sqlite".to_owned(),
        location: dir.path().display().to_string(),
        format: 1,
        trouble: None,
        silent_since: None,
        checked: None,
        damage: Vec::new(),
    };
    let checked = watch::channel(mgsd::store_check::Checked::default()).1;
    let identity = Identity { name: None, nids: vec![MGS.parse().unwrap()], store, checked, started: 0 };
    let (driver, handle) =
        drive::start(Config::default(), Arc::<Gate>::clone(&gate), identity).await.unwrap();
    tokio::spawn(driver.run());
    handle.created().await;
    let (near, far) = link::pair();
    let config = lnet_proxy::Config::new(vec![MGS.parse().unwrap()]).with_port(0);
    let proxy = lnet_proxy::spawn(config, Link::Memory(far)).unwrap();
    let (address, serving) = (proxy.addresses[0], handle.clone());
    tokio::spawn(async move { serving.serve_link(near).await });
    let node = async |last: u8| {
        let nid = Nid::tcp(Ipv4Addr::new(10, 8, 1, last).into(), 0);
        let mut config = HostConfig::new(nid, vec![MGS.parse().unwrap()]).with_mgs_addr(address);
        config.speed = 20;
        PeerHost::start(config).await.unwrap()
    };
    let server = node(1).await;
    server.mount_mdt("testfs", 0).await.unwrap();
    server.mount_ost("testfs", 0).await.unwrap();
    assert!(until(&handle, |_| true).await.ready);

    gate.shut.send_replace(true);
    let silent = until(&handle, |s| s.store.silent_since.is_some()).await;
    assert!(!silent.ready && silent.not_ready.unwrap().contains("does not answer"));
    assert!(silent.store.trouble.unwrap().contains("nothing is changed until it does"));
    // a node that knows nothing yet mounts from what the daemon knows; a target does not get in
    let client = node(2).await;
    let tree = client.mount_client("testfs").await.unwrap();
    assert_eq!(tree.osts.len(), 1);
    server.mount_ost("testfs", 1).await.unwrap_err();

    gate.shut.send_replace(false);
    let back = until(&handle, |s| s.ready).await;
    assert_eq!((back.store.silent_since, back.store.trouble), (None, None));
    server.mount_ost("testfs", 1).await.unwrap();
    let config = async || client.config("testfs-client").await.unwrap();
    let heard = async {
        while config().await.osts.len() != 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), heard).await.expect("the client hears of it");
}
