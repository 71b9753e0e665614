//! One mgsd with two MGS that have nothing in common, not even by name: the same file system is registered with both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../daemon/mod.rs"]
mod daemon;
mod site;

use lnet_proxy::Link;
use lnet_proxy::link::{self, FrameLink};
use mgs_api::{Error, PolicySwitch, RegistrationPolicy};
use rusqlite::Connection;
use site::{ALL, FS, Site, nid, sees, soon};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::Order;
use wire::relay::{Frame, VERSION};
use wire::socklnd::ConnReq;

const A: (&str, Ipv4Addr) = ALL[0];
const B: (&str, Ipv4Addr) = ALL[1];

fn nothing(_: &Path, _: &str) -> String {
    String::new()
}

async fn uuids(site: &Site) -> [(String, String); 2] {
    let mut both = [const { (String::new(), String::new()) }; 2];
    for (at, (name, address)) in both.iter_mut().zip(ALL) {
        let api = site.api(name).await;
        let status = api.status().await.unwrap();
        assert_eq!((status.name.as_str(), &status.nids), (name, &vec![nid(address).to_string()]));
        assert!(status.ready, "{status:?}");
        *at = (status.mgs_uuid, api.fs(FS).await.map_or_else(|_| String::new(), |fs| fs.uuid));
    }
    assert_ne!(both[0], both[1]);
    both
}

async fn targets(site: &Site, name: &str) -> Vec<String> {
    let mut all: Vec<String> =
        site.api(name).await.targets(None).await.unwrap().items.into_iter().map(|t| t.name).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_mgs_share_nothing_and_a_restart_keeps_both() {
    let mut site = Site::new(nothing).await;
    for (name, _) in ALL {
        assert!(site.banner.contains(&format!("serves MGS {name} ")), "{}", site.banner);
    }
    let said = site.door().await;
    assert_eq!(said.allowed.as_deref(), Some("a, b"));
    assert!(said.hint.unwrap().contains("mgsctl --mgs a"));

    let (servers_a, servers_b) = (site.node_of(1, A.1).await, site.node_of(2, B.1).await);
    servers_a.mount_mdt(FS, 0).await.unwrap();
    servers_a.mount_ost(FS, 0).await.unwrap();
    servers_b.mount_mdt(FS, 0).await.unwrap();
    servers_b.mount_ost(FS, 5).await.unwrap();
    let (client_a, client_b) = (site.node_of(11, A.1).await, site.node_of(12, B.1).await);
    client_a.mount_client(FS).await.unwrap();
    client_b.mount_client(FS).await.unwrap();
    sees(&client_a, &[0]).await;
    sees(&client_b, &[5]).await;
    servers_b.mount_ost(FS, 6).await.unwrap();
    sees(&client_b, &[5, 6]).await;
    sees(&client_a, &[0]).await;

    assert_eq!(targets(&site, "a").await, ["testfs-MDT0000", "testfs-OST0000"]);
    assert_eq!(targets(&site, "b").await, ["testfs-MDT0000", "testfs-OST0005", "testfs-OST0006"]);
    let before = uuids(&site).await;
    let log_a = site.api("a").await.log_file("testfs-client").await.unwrap();
    let log_b = site.api("b").await.log_file("testfs-client").await.unwrap();
    assert_ne!(log_a, log_b);
    for (name, nodes) in [("a", ["10.8.0.1@tcp", "10.8.0.11@tcp"]), ("b", ["10.8.0.2@tcp", "10.8.0.12@tcp"])]
    {
        let mut seen: Vec<String> =
            site.api(name).await.clients().await.unwrap().items.into_iter().map(|c| c.nid).collect();
        seen.sort();
        let mut nodes = nodes.map(str::to_owned);
        nodes.sort();
        assert_eq!(seen, nodes, "{name}");
    }

    assert!(site.stop().await.success());
    for (name, _) in ALL {
        assert!(!site.dir.path().join(name).join("api.sock").exists());
        let said = site.command().args(["check", "--mgs", name]).output().await.unwrap();
        assert!(said.status.success(), "{said:?}");
        assert!(String::from_utf8_lossy(&said.stdout).contains("no damage found"), "{said:?}");
    }
    assert!(!site.dir.path().join("api.sock").exists());
    let backup = site.dir.path().join("b.db");
    let said = site.command().arg("backup").arg(&backup).args(["--mgs", "b"]).output().await.unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains(&before[1].0), "{said:?}");
    let said = site.command().arg("check").output().await.unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).ends_with("--mgs NAME chooses one of a, b\n"), "{said:?}");

    site.start().await;
    assert_eq!(uuids(&site).await, before);
    assert_eq!(site.api("a").await.log_file("testfs-client").await.unwrap(), log_a);
    assert_eq!(site.api("b").await.log_file("testfs-client").await.unwrap(), log_b);
    servers_a.mount_ost(FS, 1).await.unwrap();
    sees(&client_a, &[0, 1]).await;
    sees(&client_b, &[5, 6]).await;
}

/// A node that names the one MGS at the address of the other gets neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_one_never_leads_to_the_other() {
    let site = Site::new(nothing).await;
    for (named, dialled) in [(B.1, A.1), (A.1, B.1)] {
        let mut wrong = TcpStream::connect((dialled, site.port)).await.unwrap();
        wrong.write_all(&ConnReq::to(nid(named)).to_bytes(Order::Little)).await.unwrap();
        let mut answer = Vec::new();
        // closed with or without a reset: not a word in any case
        let ended = soon("it is not closed", wrong.read_to_end(&mut answer)).await;
        assert!(
            ended.map_or_else(|e| e.kind() == std::io::ErrorKind::ConnectionReset, |n| n == 0),
            "{answer:?}"
        );
    }
    let lost = site.node(21, B.1, (A.1, site.port).into()).await;
    lost.mount_client(FS).await.unwrap_err();
    for (name, _) in ALL {
        assert_eq!(site.api(name).await.clients().await.unwrap().items, vec![]);
    }
}

/// Proxies of their own: each MGS has a relay socket, and takes no proxy that serves the NIDs of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_its_proxy_and_takes_no_other() {
    let relay = |dir: &Path, name: &str| dir.join(format!("{name}.relay"));
    let line = |dir: &Path, name: &str| format!("relay = \"unix:{}\"\n", relay(dir, name).display());
    let site = Site::new(line).await;
    let hello = |address| Frame::Hello {
        min_version: VERSION,
        max_version: VERSION,
        features: 0,
        identity: "test".to_owned(),
        nids: vec![nid(address)],
    };
    let greet = async |name: &str, address| {
        let mut link: FrameLink = link::connect(&relay(site.dir.path(), name)).await.unwrap();
        link.tx.send(hello(address)).await.unwrap();
        soon("no answer", link.rx.recv()).await
    };
    assert!(matches!(greet("a", A.1).await, Some(Frame::Welcome { .. })));
    assert!(matches!(greet("b", B.1).await, Some(Frame::Welcome { .. })));
    assert_eq!(greet("a", B.1).await, None);
    assert_eq!(greet("b", A.1).await, None);

    let mut proxies = Vec::new();
    for (last, (name, address)) in (1..).zip(ALL) {
        let config = lnet_proxy::Config::new(vec![nid(address)]).with_port(0);
        let proxy = lnet_proxy::spawn(config, Link::Unix(relay(site.dir.path(), name))).unwrap();
        let node = site.node(last, address, proxy.addresses[0]).await;
        node.mount_mdt(FS, 0).await.unwrap();
        node.mount_ost(FS, u32::from(last)).await.unwrap();
        proxies.push((proxy, node));
    }
    assert_eq!(targets(&site, "a").await, ["testfs-MDT0000", "testfs-OST0001"]);
    assert_eq!(targets(&site, "b").await, ["testfs-MDT0000", "testfs-OST0002"]);
}

/// Somebody writes to the store of one: that one ends, is not started on what it finds there, and comes back when the
/// store is repaired. The other one serves on all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_loses_its_store_leaves_the_other_serving() {
    let mut site = Site::new(nothing).await;
    let (servers_a, servers_b) = (site.node_of(1, A.1).await, site.node_of(2, B.1).await);
    for servers in [&servers_a, &servers_b] {
        servers.mount_mdt(FS, 0).await.unwrap();
        servers.mount_ost(FS, 0).await.unwrap();
    }
    let client_b = site.node_of(12, B.1).await;
    client_b.mount_client(FS).await.unwrap();
    let before = uuids(&site).await;

    let file = site.dir.path().join("a/mgs.db");
    let read = "SELECT value FROM kv WHERE key = 'seq'";
    let write = |value: &[u8]| {
        let db = Connection::open(&file).unwrap();
        db.busy_timeout(Duration::from_secs(30)).unwrap();
        let there: Vec<u8> = db.query_row(read, [], |row| row.get(0)).unwrap();
        let crc = i64::from(crc32fast::hash(&[b"seq\0", value].concat()));
        let sql = "UPDATE kv SET value = ?1, crc = ?2 WHERE key = 'seq'";
        assert_eq!(db.execute(sql, (value, crc)).unwrap(), 1);
        there
    };
    let good = write(b"1000");
    let policy = PolicySwitch { policy: RegistrationPolicy::Closed };
    let api_a = site.api("a").await;
    api_a.registration_default(policy, false).await.unwrap_err();
    // The first reason is another writer, the second what a start finds.
    for why in ["somebody else has written to it", "commit records"] {
        let down = async {
            loop {
                let said = site.door().await.detail;
                if said.contains(why) {
                    return said;
                }
                tokio::task::yield_now().await;
            }
        };
        let said = soon(why, down).await;
        eprintln!("{said}");
        assert!(said.contains("a does not serve") && !said.contains("b does not serve"), "{said}");
    }

    servers_b.mount_ost(FS, 1).await.unwrap();
    sees(&client_b, &[0, 1]).await;
    assert!(matches!(api_a.status().await, Err(Error::Unreachable { .. })));

    write(&good);
    let up = async {
        while api_a.status().await.is_err() {
            tokio::task::yield_now().await
        }
    };
    soon("it never comes back", up).await;
    assert_eq!(uuids(&site).await, before);
    servers_a.mount_ost(FS, 1).await.unwrap();
    assert_eq!(targets(&site, "a").await, ["testfs-MDT0000", "testfs-OST0000", "testfs-OST0001"]);
    let back = async {
        while site.door().await.detail.contains("does not serve") {
            tokio::task::yield_now().await
        }
    };
    soon("it is not said", back).await;
    assert!(site.stop().await.success());
}

/// What is wrong with one is found by who starts them: none serves.
#[tokio::test]
async fn a_start_that_fails_for_one_is_refused_for_all() {
    let mut site = Site::new(nothing).await;
    assert!(site.stop().await.success());
    std::fs::write(
        site.dir.path().join("b/mgs.db"),
        "not a database at all, but long enough to be looked at",
    )
    .unwrap();
    let said = site.command().args(["--port", &site.port.to_string()]).output().await.unwrap();
    assert_eq!(said.status.code(), Some(1));
    let line = String::from_utf8(said.stderr).unwrap();
    assert!(line.lines().last().unwrap().starts_with("mgsd: MGS b: "), "{line}");
    assert!(line.contains("b/mgs.db"), "{line}");
    assert!(said.stdout.is_empty());
    assert!(!site.dir.path().join("a/api.sock").exists() && !site.dir.path().join("api.sock").exists());
}
/// One section is as good as none, but for the name: nobody has to say it, and everybody may.
#[tokio::test]
async fn a_single_section_answers_with_and_without_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mgsd.toml");
    std::fs::write(&file, "[[mgs]]\nname = \"only\"\nnid = [\"127.0.0.2@tcp\"]\n").unwrap();
    let mut program = daemon::command(dir.path());
    let (mut child, first) = daemon::serve(program.args(["--port", "0", "--config"]).arg(&file)).await;
    assert!(first.contains("serves MGS only "), "{first}");
    let mut told = Vec::new();
    for socket in ["api.sock", "only/api.sock"] {
        let address = format!("unix:{}", dir.path().join(socket).display());
        told.push(mgs_api::Client::connect(&address).await.unwrap().status().await.unwrap());
    }
    assert_eq!((told[0].name.as_str(), &told[0].mgs_uuid), ("only", &told[1].mgs_uuid));
    child.kill().await.unwrap();
}
