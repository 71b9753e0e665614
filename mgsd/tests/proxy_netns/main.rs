//! Hosts in network namespaces: a node behind LNet routers, of which one dies, and an address that moves between two
//! proxies. Real ports, real addresses, real mgsd. (mgsd beside another owner of port 988: `packaging/netns/test`.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod router;
mod site;

use lnet_proxy::{Handle, Link};
use lustre_peer::host::{HostConfig, PeerHost};
use lustre_peer::node::Event;
use router::Router;
use site::{Host, Site};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::broadcast::Receiver;
use wire::Nid;
use wire::ldlm::ConfigKind;

const FS: &str = "testfs";
const MGS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}
fn mgs() -> Nid {
    Nid::tcp(MGS.into(), 0)
}

async fn mgsd(dir: &Path, relay: &Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mgsd"))
        .kill_on_drop(true)
        .env("RUST_LOG", "error")
        .arg("--data")
        .arg(dir.join("data"))
        .args(["--nid", &mgs().to_string(), "--relay", &format!("unix:{}", relay.display())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().expect("mgsd ended at its start");
    assert!(first.contains("serves MGS"), "{first}");
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|l| l.is_some()) {} });
    child
}

/// On port 988, with reserved ports only, as at a real site.
async fn proxy(host: &Host, relay: PathBuf, change: impl FnOnce(&mut lnet_proxy::Config)) -> Handle {
    let mut config = lnet_proxy::Config::new(vec![mgs()]);
    change(&mut config);
    host.run(async move { lnet_proxy::spawn(config, Link::Unix(relay)).unwrap() }).await
}

/// A node that reaches the MGS at `via`, and listens as kernels do.
async fn node(host: &Host, own: Nid, via: IpAddr) -> (PeerHost, Receiver<Event>) {
    let port = lustre_peer::host::LNET_PORT;
    let mut config = HostConfig::new(own, vec![mgs()]).with_mgs_addr(SocketAddr::new(via, port));
    config.reserved_ports = true;
    config.speed = 10; // what the death of a connection swallowed is repeated after a kernel's patience
    config.listen = own.ip().map(|ip| SocketAddr::new(ip, port));
    let host = host.run(async move { PeerHost::start(config).await.unwrap() }).await;
    let events = host.events();
    (host, events)
}

/// Waits for an event; a broken rule is an error.
async fn until(events: &mut Receiver<Event>, mut wanted: impl FnMut(&Event) -> bool) {
    loop {
        let event = events.recv().await.unwrap();
        assert!(!matches!(event, Event::Violation(_)), "{event:?}");
        if wanted(&event) {
            return;
        }
    }
}

fn notified(event: &Event) -> bool {
    matches!(event, Event::Notified { kind: ConfigKind::Config, name } if name == FS)
}

/// Registration, mount and a callback through one router; it dies, and the next callback finds the other declared
/// router, which had no connection to the MGS until then. The node has no IP route to the MGS at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_two_routers_of_which_one_dies() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    let mut site = Site::new();
    site.hub(0);
    site.hub(1);
    let mgs_host = site.host("mgs");
    site.attach(&mgs_host, MGS);
    let mut routers = Vec::new();
    for last in [5, 6] {
        let host = site.host(&format!("router{last}"));
        let (outside, inside) = (Ipv4Addr::new(10, 0, 0, last), Ipv4Addr::new(10, 1, 0, last));
        site.attach(&host, outside);
        site.attach(&host, inside);
        host.run(Router::new(mgs(), Nid::tcp(outside.into(), 0), inside).start()).await;
        routers.push(host);
    }
    let behind = site.host("node");
    site.attach(&behind, Ipv4Addr::new(10, 1, 0, 20));
    let direct = site.host("oss");
    site.attach(&direct, Ipv4Addr::new(10, 0, 0, 30));

    let _mgsd = mgsd(dir.path(), &relay).await;
    let routed = |config: &mut lnet_proxy::Config| {
        config.core.routes = vec!["tcp1 via 10.0.0.5@tcp,10.0.0.6@tcp".parse().unwrap()];
    };
    let proxy = proxy(&mgs_host, relay, routed).await;
    let first_router = Ipv4Addr::new(10, 1, 0, 5).into();
    let (peer, mut events) = node(&behind, nid("10.1.0.20@tcp1"), first_router).await;
    peer.mount_mdt(FS, 0).await.unwrap();
    peer.mount_client(FS).await.unwrap();
    assert_eq!(proxy.snapshot().peers, 1, "one router");
    let (oss, _events) = node(&direct, nid("10.0.0.30@tcp"), MGS.into()).await;
    oss.mount_ost(FS, 0).await.unwrap();
    until(&mut events, notified).await;
    until(&mut events, |e| matches!(e, Event::LogRead { owner, .. } if owner == "testfs-client")).await;
    let before = proxy.snapshot().counters;
    assert_eq!(before.dials, 0, "the router that the node speaks through has a connection");

    routers.remove(0).die();
    proxy.wait_for(|s| s.peers == 1).await.unwrap(); // the OSS is left
    oss.mount_ost(FS, 1).await.unwrap();
    until(&mut events, notified).await;
    let after = proxy.snapshot();
    assert_eq!(after.peers, 2, "the OSS and the other router");
    assert!(after.counters.dials_failed > before.dials_failed, "the first declared router was tried first");
    assert!(after.counters.dials > after.counters.dials_failed);
    assert_eq!(after.counters.dropped_foreign, 0);
}

/// The address of the MGS goes to another host and comes back. Nodes connect again there, keep their service, and are
/// called there; the host that lost it closes what had come by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_moves_between_two_proxies() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    let mut site = Site::new();
    site.hub(0);
    let hosts = [site.host("one"), site.host("two")];
    for (host, last) in hosts.iter().zip([11, 12]) {
        site.attach(host, Ipv4Addr::new(10, 0, 0, last));
    }
    let [node_host, oss_host] = ["node", "oss"].map(|name| site.host(name));
    site.attach(&node_host, Ipv4Addr::new(10, 0, 0, 20));
    site.attach(&oss_host, Ipv4Addr::new(10, 0, 0, 30));
    site.move_address(MGS, None, &hosts[0]);

    let _mgsd = mgsd(dir.path(), &relay).await;
    let mut proxies = Vec::new();
    for host in &hosts {
        proxies.push(proxy(host, relay.clone(), |config| config.wait_address = true).await);
    }
    let (peer, mut events) = node(&node_host, nid("10.0.0.20@tcp"), MGS.into()).await;
    peer.mount_mdt(FS, 0).await.unwrap();
    peer.mount_client(FS).await.unwrap();

    for (round, (from, to)) in [(0, 1), (1, 0)].into_iter().enumerate() {
        let here = &proxies[to];
        site.move_address(MGS, Some(&hosts[from]), &hosts[to]);
        proxies[from].wait_for(|s| s.connections == 0).await.unwrap();
        // What the node still sends on its old connections is answered by a reset; it dials again.
        peer.ping().await.unwrap();
        here.wait_for(|s| s.peers == 1).await.unwrap();
        until(&mut events, |e| matches!(e, Event::Pinged { .. })).await;
        let index = u32::try_from(round).unwrap();
        let (oss, _events) = node(&oss_host, nid("10.0.0.30@tcp"), MGS.into()).await;
        oss.mount_ost(FS, index).await.unwrap();
        until(&mut events, notified).await;
        until(&mut events, |e| matches!(e, Event::LogRead { owner, .. } if owner == "testfs-client")).await;
        oss.power_off().await;
        here.wait_for(|s| s.peers == 1).await.unwrap();
    }
}
