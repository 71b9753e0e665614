//! Nodes of releases 2.12 to 2.17, of either byte order, on mgsd over TCP: what each is given is what its release reads.
//! What went over the wire is taken from mgsd's own flight record of the node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use bytes::Bytes;
use lustre_peer::interp::ConfigTree;
use lustre_peer::{Event, HostConfig, PeerHost, Release, TargetKind, TargetOptions};
use scenarios::daemon::Daemon;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use wire::lnet::Message;
use wire::mgs::{NidTblEntry, ldd, mtn};
use wire::rpc::{Reply, Request, Rpc};
use wire::{Nid, Order};

const RELEASES: [Release; 4] = [Release::V2_12, Release::V2_15, Release::V2_16, Release::V2_17];

fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

/// Whether the release knows text NIDs and large table entries.
fn large(release: Release) -> bool {
    release >= Release::V2_16
}

async fn daemon(at: &str) -> Daemon {
    Daemon::start(nid(at), Duration::from_secs(400)).await.unwrap()
}

/// A node, and what happened to it.
struct Peer {
    host: PeerHost,
    events: Receiver<Event>,
}

impl Peer {
    async fn start(daemon: &Daemon, mgs: &str, at: &str, release: Release, order: Order) -> Self {
        let mut config = HostConfig::new(nid(at), vec![nid(mgs)]).with_mgs_addr(daemon.lnet);
        config.node.release = release;
        config.node.order = order;
        let host = PeerHost::start(config).await.unwrap();
        let events = host.events();
        Self { host, events }
    }

    /// Powers it off; mgsd broke no rule that the node relies on.
    async fn end(mut self) {
        self.host.power_off().await;
        loop {
            match self.events.try_recv() {
                Ok(Event::Violation(what)) => panic!("{}: {what}", self.host.nid()),
                Ok(_) => {}
                Err(TryRecvError::Lagged(n)) => panic!("{n} events were not looked at"),
                Err(_) => return,
            }
        }
    }
}

/// A message that mgsd sent or got, with its match bits.
struct Said {
    match_bits: u64,
    payload: Bytes,
    rpc: Rpc,
}

/// The flight record of a node: its requests to mgsd and what came back, in order.
async fn record(daemon: &Daemon, peer: Nid) -> Vec<Said> {
    let pcap = daemon.api.client_record(&peer.to_string()).await.unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap).unwrap();
    let messages = capture::lnet::messages(&capture::load(file.path()).unwrap()).unwrap();
    let puts = messages.into_iter().filter_map(|m| match m.header.msg {
        Message::Put { portal, match_bits, .. } => {
            let rpc = Rpc::decode_put(portal, &m.payload).unwrap();
            Some(Said { match_bits, payload: m.payload, rpc })
        }
        _ => None,
    });
    let puts: Vec<Said> = puts.collect();
    assert!(!puts.is_empty(), "nothing recorded of {peer}");
    puts
}

fn table_entries(said: &[Said]) -> Vec<NidTblEntry> {
    said.iter().flat_map(|s| if let Rpc::NidTable(e, _) = &s.rpc { e.clone() } else { Vec::new() }).collect()
}

/// Lengths of the buffers behind the body.
fn buffers(said: &Said) -> Vec<usize> {
    wire::ptlrpc::Message::decode(&said.payload).unwrap().buffers.iter().skip(1).map(Bytes::len).collect()
}

/// Form a: the target info alone; b: with 64 bytes for each NID; c: a list in a buffer of its own.
fn check_registrations(said: &[Said], release: Release, nids: usize) {
    let (mut asked, mut answered) = (0, 0);
    for s in said {
        match &s.rpc {
            Rpc::Request { content: Request::TargetReg { info, list }, .. } => {
                asked += 1;
                let (sizes, has_list) = match release {
                    Release::V2_12 | Release::V2_15 => (vec![4544], false),
                    Release::V2_16 => (vec![4544 + 64 * nids], false),
                    Release::V2_17 => (vec![4544, 8 + 64 * nids], true),
                };
                assert_eq!((buffers(s), list.is_some()), (sizes, has_list), "{release:?}");
                assert_eq!(info.flags & ldd::LARGE_NID != 0, large(release), "{release:?}");
            }
            Rpc::Reply { body, content: Reply::TargetReg(info), .. } => {
                answered += 1;
                let size = if release == Release::V2_16 { 4544 + 64 * nids } else { 4544 };
                assert_eq!((body.status, buffers(s)), (0, vec![size]), "{release:?} {info:?}");
            }
            _ => {}
        }
    }
    assert_eq!((asked, answered), (4, 4), "{release:?}: REG and READY of two targets");
}

/// Flags are granted as asked; every reply carries the match bits that its request named.
fn check_connect_and_matching(said: &[Said], release: Release) {
    let mut asked = None;
    let mut granted = 0;
    let mut expected: BTreeSet<u64> = BTreeSet::new();
    for s in said {
        match &s.rpc {
            Rpc::Request { body, content, .. } if !matches!(content, Request::Blocking(_)) => {
                if let Request::Connect(connect) = content {
                    asked = Some((connect.data.flags, connect.data.flags2));
                }
                let by_mbits = release > Release::V2_12 && granted > 0;
                expected.insert(if by_mbits { body.mbits } else { s.match_bits });
            }
            Rpc::Reply { content, body, .. } if body.opc != wire::ptlrpc::opc::LDLM_BL_CALLBACK => {
                assert!(expected.remove(&s.match_bits), "{release:?}: {:#x} was not asked", s.match_bits);
                if let Reply::Connect(data) = content {
                    let (flags, flags2) = asked.unwrap();
                    assert_eq!((data.flags & !flags, data.flags2 & !flags2), (0, 0), "{release:?}");
                    granted += 1;
                }
            }
            _ => {}
        }
    }
    assert_eq!((granted, expected.len()), (1, 0), "{release:?}: requests without a reply");
}

/// MDT, OST and client on one node; their configurations.
async fn mount_all(peer: &Peer) -> [ConfigTree; 3] {
    let mdt = peer.host.mount_mdt("testfs", 0).await.unwrap();
    let ost = peer.host.mount_ost("testfs", 0).await.unwrap();
    let client = peer.host.mount_client("testfs").await.unwrap();
    assert_eq!(client.to_string(), "1 MDT, 1 OST");
    [mdt, ost, client]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_in_either_byte_order_mounts_everything() {
    const MGS: &str = "10.0.0.1@tcp";
    const NODE: &str = "10.0.0.7@tcp";
    let mut trees = Vec::new();
    for release in RELEASES {
        for order in [Order::Little, Order::Big] {
            let daemon = daemon(MGS).await;
            let peer = Peer::start(&daemon, MGS, NODE, release, order).await;
            let mounted = mount_all(&peer).await;
            let said = record(&daemon, nid(NODE)).await;
            check_registrations(&said, release, 1);
            check_connect_and_matching(&said, release);
            let entries = table_entries(&said);
            assert!(!entries.is_empty(), "{release:?} {order:?}");
            let shape = if large(release) { (1, 20) } else { (0, 8) };
            assert!(entries.iter().all(|e| (e.nid_type, e.nid_size) == shape), "{release:?}: {entries:?}");
            trees.push((release, order, mounted));
            for name in ["testfs-client", "testfs-OST0000", "testfs-MDT0000"] {
                peer.host.umount(name).await.unwrap();
            }
            peer.end().await;
            assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
        }
    }
    for (release, order, tree) in &trees[1..] {
        assert_eq!(tree, &trees[0].2, "{release:?} {order:?}");
    }
}

/// Servers of one release, clients of all: every client has the same configuration, and a table of its own kind.
#[tokio::test(flavor = "multi_thread")]
async fn releases_share_a_file_system() {
    const MGS: &str = "10.0.0.1@tcp";
    for servers in [Release::V2_12, Release::V2_17] {
        let daemon = daemon(MGS).await;
        let server = Peer::start(&daemon, MGS, "10.0.0.3@tcp", servers, Order::Little).await;
        server.host.mount_mdt("testfs", 0).await.unwrap();
        server.host.mount_ost("testfs", 0).await.unwrap();
        // A second OST by a server of another release and byte order.
        let other = if servers == Release::V2_12 { Release::V2_16 } else { Release::V2_15 };
        let second = Peer::start(&daemon, MGS, "10.0.0.4@tcp", other, Order::Big).await;
        second.host.mount_ost("testfs", 1).await.unwrap();
        let mut trees = Vec::new();
        for (i, release) in RELEASES.into_iter().enumerate() {
            let at = format!("10.0.1.{i}@tcp");
            let client = Peer::start(&daemon, MGS, &at, release, Order::Little).await;
            trees.push(client.host.mount_client("testfs").await.unwrap());
            let entries = table_entries(&record(&daemon, nid(&at)).await);
            assert_eq!(entries.len(), 3, "{release:?}");
            assert!(entries.iter().all(|e| e.nid_type == u8::from(large(release))), "{release:?}");
            client.host.umount("testfs-client").await.unwrap();
            client.end().await;
        }
        assert_eq!(trees[0].to_string(), "1 MDT, 2 OSTs");
        assert!(trees.iter().all(|t| *t == trees[0]), "{servers:?}");
        assert_eq!(trees[0].targets[&(2, 1)].nids, ["10.0.0.4@tcp"]);
        server.end().await;
        second.end().await;
        assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
    }
}

/// NIDs of OST0000 in the tables that clients of all releases read.
async fn table_of_ost(daemon: &Daemon, mgs: &str) -> Vec<(Release, Vec<String>)> {
    let mut out = Vec::new();
    for (i, release) in RELEASES.into_iter().enumerate() {
        let at = format!("10.0.1.{i}@tcp");
        let client = Peer::start(daemon, mgs, &at, release, Order::Little).await;
        let tree = client.host.mount_client("testfs").await.unwrap();
        assert_eq!(tree.to_string(), "1 MDT, 1 OST");
        let entries = table_entries(&record(daemon, nid(&at)).await);
        let ost = entries.iter().find(|e| e.target_type == 2).unwrap();
        out.push((release, ost.nids.iter().map(Nid::to_string).collect()));
        client.end().await;
    }
    out
}

/// 45 NIDs: more than the 32 slots of the old form and more than a request of 2.17 holds, which has them fetched by bulk.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_many_nids() {
    const MGS: &str = "10.0.0.1@tcp";
    const MORE: usize = 44;
    for release in [Release::V2_16, Release::V2_17] {
        let daemon = daemon(MGS).await;
        let server = Peer::start(&daemon, MGS, "10.0.0.3@tcp", release, Order::Little).await;
        server.host.mount_mdt("testfs", 0).await.unwrap();
        let more_nids: Vec<Nid> = (0..MORE).map(|i| nid(&format!("10.3.0.{i}@tcp1"))).collect();
        let mut all = vec!["10.0.0.3@tcp".to_owned()];
        all.extend(more_nids.iter().map(Nid::to_string));
        let options = TargetOptions { more_nids, ..TargetOptions::new("testfs", TargetKind::Ost, 0) };
        server.host.mount_target(options).await.unwrap();
        let said = record(&daemon, nid("10.0.0.3@tcp")).await;
        let stated = said.iter().filter_map(|s| match &s.rpc {
            Rpc::Request { content: Request::TargetReg { info, list }, .. }
                if info.svname.contains("OST") =>
            {
                Some((
                    info.nidlist.len(),
                    list.as_ref().map(|l| (l.flags & mtn::IN_BULK != 0, l.inline.len())),
                ))
            }
            _ => None,
        });
        let form = if release == Release::V2_17 { (0, Some((true, 0))) } else { (MORE + 1, None) };
        assert_eq!(stated.collect::<Vec<_>>(), [form, form], "REG and READY");
        for (reader, nids) in table_of_ost(&daemon, MGS).await {
            assert_eq!(nids, all, "servers {release:?}, client {reader:?}");
        }
        server.end().await;
        assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
    }
}

/// A server with an IPv4 and an IPv6 NID: releases before 2.16 read of the one that they can use.
#[tokio::test(flavor = "multi_thread")]
async fn older_releases_get_no_ipv6_nid() {
    const MGS: &str = "10.0.0.1@tcp";
    let daemon = daemon(MGS).await;
    let server = Peer::start(&daemon, MGS, "10.0.0.3@tcp", Release::V2_17, Order::Little).await;
    server.host.mount_mdt("testfs", 0).await.unwrap();
    let more_nids = vec![nid("fd00::3@tcp")];
    let options = TargetOptions { more_nids, ..TargetOptions::new("testfs", TargetKind::Ost, 0) };
    server.host.mount_target(options).await.unwrap();
    for (release, nids) in table_of_ost(&daemon, MGS).await {
        let both = ["10.0.0.3@tcp".to_owned(), "fd00::3@tcp".to_owned()];
        let expected = if large(release) { &both[..] } else { &both[..1] };
        assert_eq!(nids, expected, "{release:?}");
    }
    server.end().await;
    assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
}

/// Everybody at IPv6 NIDs: HELLO V4, headers with large addresses, text NIDs in registration and logs.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_on_ipv6() {
    const MGS: &str = "fd00::1@tcp";
    let daemon = daemon(MGS).await;
    let server = Peer::start(&daemon, MGS, "fd00::3@tcp", Release::V2_17, Order::Little).await;
    server.host.mount_mdt("testfs", 0).await.unwrap();
    server.host.mount_ost("testfs", 0).await.unwrap();
    let mut trees = Vec::new();
    for (at, release, order) in [
        ("fd00::16@tcp", Release::V2_16, Order::Little),
        ("fd00::17@tcp", Release::V2_17, Order::Little),
        ("fd00::18@tcp", Release::V2_17, Order::Big),
    ] {
        let client = Peer::start(&daemon, MGS, at, release, order).await;
        trees.push(client.host.mount_client("testfs").await.unwrap());
        client.end().await;
    }
    assert_eq!(trees[0].to_string(), "1 MDT, 1 OST");
    assert!(trees.iter().all(|t| *t == trees[0]));
    assert_eq!(trees[0].targets.len(), 2);
    assert!(trees[0].targets.values().all(|t| t.nids == ["fd00::3@tcp"]), "{:?}", trees[0].targets);
    assert!(!trees[0].nodes.is_empty() && trees[0].nodes.values().all(|n| n == &["fd00::3@tcp"]));
    server.end().await;
    assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
}
