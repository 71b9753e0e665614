//! mgsd dies before and after every step of a large plan on etcd, the writeconf of a whole file system: it has happened
//! or it has not, and the next daemon goes on.

use async_trait::async_trait;
use lnet_proxy::{Link, link};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::{TargetKind, TargetOptions, TargetState};
use mgs_core::engine::Config;
use mgs_core::lint;
use mgs_core::model::commit::broken_links;
use mgs_core::model::view::View;
use mgsd::drive::{self, Identity};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::etcd::EtcdStore;
use store_backends::large::Large;
use store_backends::{
    Change, CommitOutcome, CommitRequest, Limits, RangeReply, Seq, Snapshot, Store, StoreError, TxnId,
};
use tokio::sync::watch;
use wire::Nid;

const MGS: &str = "127.0.0.1@tcp";
const OSTS: u32 = 60;

/// etcd, until the daemon dies: from then on nothing it does has an effect, and nothing answers.
struct Mortal {
    etcd: EtcdStore,
    steps: AtomicUsize,
    /// At this step, and whether the step is still done.
    dies: Option<(usize, bool)>,
    dead: watch::Sender<bool>,
}

impl Mortal {
    async fn alive(&self) -> &EtcdStore {
        if *self.dead.borrow() {
            std::future::pending::<()>().await;
        }
        &self.etcd
    }

    async fn step<T>(&self, effect: impl Future<Output = T>) -> T {
        self.alive().await;
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        let dies = self.dies.filter(|(at, _)| *at == step);
        let done = match dies {
            Some((_, false)) => None,
            _ => Some(effect.await),
        };
        match done {
            Some(done) if dies.is_none() => done,
            _ => {
                self.dead.send_replace(true);
                std::future::pending().await
            }
        }
    }
}

#[async_trait]
impl Store for Mortal {
    async fn range(&self, prefix: &str) -> Result<RangeReply, StoreError> {
        self.alive().await.range(prefix).await
    }
    async fn read(&self, keys: &[String]) -> Result<RangeReply, StoreError> {
        self.alive().await.read(keys).await
    }
    async fn barrier(&self) -> Result<Seq, StoreError> {
        self.alive().await.barrier().await
    }
    async fn commit(&self, req: CommitRequest) -> CommitOutcome {
        self.step(self.etcd.commit(req)).await
    }
    async fn amend(&self, at: Seq, changes: Vec<Change>) -> Result<bool, StoreError> {
        self.step(self.etcd.amend(at, changes)).await
    }
    async fn wait(&self, after: Seq) -> Result<(), StoreError> {
        self.alive().await.wait(after).await
    }
    async fn commits(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.alive().await.commits(after, limit).await
    }
    async fn find_txn(&self, txn: TxnId, after: Seq) -> Result<Option<Seq>, StoreError> {
        self.alive().await.find_txn(txn, after).await
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.alive().await.snapshot().await
    }
    async fn restore(&self, s: Snapshot) -> Result<(), StoreError> {
        self.etcd.restore(s).await
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn describe(&self) -> String {
        self.etcd.describe()
    }
    fn limits(&self) -> Limits {
        // less than etcd takes: more steps
        Limits { operations: 95, bytes: 520 << 10 }
    }
}

/// A daemon in this process with a server node.
struct Site {
    store: Arc<Large<Mortal>>,
    driver: tokio::task::JoinHandle<()>,
    server: PeerHost,
    _proxy: lnet_proxy::Handle,
}

impl Site {
    async fn start(etcd: EtcdStore, dies: Option<(usize, bool)>) -> Self {
        let mortal = Mortal { etcd, steps: AtomicUsize::new(0), dies, dead: watch::Sender::new(false) };
        let store = Arc::new(Large::new(mortal));
        let info = mgs_api::StoreInfo {
            kind: "etcd".to_owned(),
            location: store.describe(),
            format: 1,
            trouble: None,
            silent_since: None,
            checked: None,
            damage: Vec::new(),
        };
        let checked = watch::channel(mgsd::store_check::Checked::default()).1;
        let identity =
            Identity { name: None, nids: vec![MGS.parse().unwrap()], store: info, checked, started: 0 };
        let shared: Arc<dyn Store> = Arc::<Large<Mortal>>::clone(&store);
        let (driver, handle) = drive::start(Config::default(), shared, identity).await.unwrap();
        let driver = tokio::spawn(async move { driver.run().await.unwrap() });
        handle.created().await;
        let (near, far) = link::pair();
        let config = lnet_proxy::Config::new(vec![MGS.parse().unwrap()]).with_port(0);
        let proxy = lnet_proxy::spawn(config, Link::Memory(far)).unwrap();
        let address = proxy.addresses[0];
        tokio::spawn(async move { handle.serve_link(near).await });
        let nid = Nid::tcp(Ipv4Addr::new(10, 8, 2, 1).into(), 0);
        let mut config = HostConfig::new(nid, vec![MGS.parse().unwrap()]).with_mgs_addr(address);
        config.speed = 20;
        let server = PeerHost::start(config).await.unwrap();
        Self { store, driver, server, _proxy: proxy }
    }

    async fn writeconf(&self) {
        let mut mdt = TargetOptions::new("testfs", TargetKind::Mdt, 0);
        mdt.state = TargetState::Writeconf;
        self.server.register(mdt).await.unwrap();
    }

    fn steps(&self) -> usize {
        self.store.inner().steps.load(Ordering::SeqCst)
    }
}

/// OSTs that a store holds, having checked everything else.
async fn osts(store: &impl Store) -> usize {
    let all = store.range("").await.unwrap().entries;
    let entries = || all.iter().map(|e| (e.key.as_str(), e.value.as_slice()));
    let view = View::load(entries()).unwrap();
    assert_eq!(lint::view(&view), Vec::<String>::new());
    assert_eq!(broken_links(entries(), view.anchor()), Vec::<String>::new());
    let osts = view.fs["testfs"].targets.len() - 1;
    let logs = view.logs.iter().filter(|(name, e)| name.contains("-OST") && !e.log.is_empty());
    assert_eq!(logs.count(), osts, "half of it");
    osts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mgsd_dies_at_every_step_of_a_large_plan() {
    let cluster = Cluster::start(1, &Settings::default());
    let site = Site::start(cluster.open(&cluster.url("origin")).await, None).await;
    site.server.register(TargetOptions::new("testfs", TargetKind::Mdt, 0)).await.unwrap();
    for index in 0..OSTS {
        site.server.register(TargetOptions::new("testfs", TargetKind::Ost, index)).await.unwrap();
    }
    let origin = site.store.snapshot().await.unwrap();
    let copy = async |name: &str| {
        let store = Large::new(cluster.open(&cluster.url(name)).await);
        store.restore(origin.clone()).await.unwrap();
        assert_eq!(osts(&store).await, OSTS as usize);
        cluster.open(&cluster.url(name)).await
    };
    let before = site.steps();
    site.writeconf().await;
    assert_eq!(osts(site.store.as_ref()).await, 0);
    let steps = site.steps() - before;
    assert!(steps >= 6, "{steps} steps: the plan is not large");

    let (mut happened, mut not) = (0, 0);
    for (step, done) in (0..steps).flat_map(|step| [(step, false), (step, true)]) {
        let name = format!("dies-{step}-{done}");
        let site = Site::start(copy(&name).await, Some((step, done))).await;
        let mut dead = site.store.inner().dead.subscribe();
        tokio::select! {
            death = dead.wait_for(|dead| *dead) => drop(death.unwrap()),
            () = site.writeconf() => panic!("{name}: acknowledged before its last step"),
        }
        site.driver.abort();
        let left = osts(&Large::new(cluster.open(&cluster.url(&name)).await)).await;
        match left {
            0 => happened += 1,
            left => {
                assert_eq!(left, OSTS as usize, "{name}: half of it");
                not += 1;
            }
        }
        // the next daemon
        let next = Site::start(cluster.open(&cluster.url(&name)).await, None).await;
        next.writeconf().await;
        assert_eq!(osts(next.store.as_ref()).await, 0, "{name}");
        next.server.register(TargetOptions::new("testfs", TargetKind::Ost, 1)).await.unwrap();
        assert_eq!(osts(next.store.as_ref()).await, 1, "{name}");
    }
    eprintln!("{steps} steps: {not} deaths before it happened, {happened} after");
    assert!(happened > 1 && not > 1);
}
