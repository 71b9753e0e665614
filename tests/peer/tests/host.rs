//! Nodes over real TCP on loopback, against the fake MGS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(dead_code)] // of the fake, which other tests use in full

#[path = "behaviour/fake.rs"]
mod fake;

use bytes::BytesMut;
use fake::Fake;
use lustre_peer::{ConnId, Event, HostConfig, PeerError, PeerHost};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;
use wire::ldlm::{ConfigKind, ResId};
use wire::lnet::{Handle, Header, Message, PING_MATCH_BITS};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, LNET_PID, MsgHeader, MsgKind, Step};
use wire::{Nid, Order};

/// One fake MGS per address that dials.
#[derive(Default)]
struct World {
    fakes: HashMap<IpAddr, Fake>,
    writers: HashMap<ConnId, Arc<AsyncMutex<OwnedWriteHalf>>>,
    conns: u64,
}

struct Server {
    addr: SocketAddr,
    world: Arc<Mutex<World>>,
}

fn mgs() -> Nid {
    "10.0.0.1@tcp".parse().unwrap()
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::default()));
        let shared = Arc::clone(&world);
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&shared), stream, from.ip()));
            }
        });
        Self { addr, world }
    }

    async fn node(&self, ip: &str) -> PeerHost {
        let ip: IpAddr = ip.parse().unwrap();
        let mut config = HostConfig::new(Nid::tcp(ip, 0), vec![mgs()]).with_mgs_addr(self.addr);
        config.bind = Some(ip);
        PeerHost::start(config).await.unwrap()
    }

    /// Something done with the MGS that a node talks to; what it wants to say goes out.
    async fn with(&self, ip: &str, f: impl FnOnce(&mut Fake)) {
        f(self.world.lock().unwrap().fakes.get_mut(&ip.parse::<IpAddr>().unwrap()).unwrap());
        flush(&self.world).await;
    }
}

async fn serve(world: Arc<Mutex<World>>, stream: TcpStream, from: IpAddr) {
    let (mut reader, writer) = stream.into_split();
    let id = {
        let mut world = world.lock().unwrap();
        world.conns += 1;
        let id = ConnId(world.conns);
        world.writers.insert(id, Arc::new(AsyncMutex::new(writer)));
        world.fakes.entry(from).or_insert_with(|| Fake::new(mgs())).open(id);
        id
    };
    let mut buffer = BytesMut::new();
    while reader.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
        world.lock().unwrap().fakes.get_mut(&from).unwrap().bytes(id, &buffer.split());
        flush(&world).await;
    }
    let mut world = world.lock().unwrap();
    world.writers.remove(&id);
    world.fakes.get_mut(&from).unwrap().close(id);
}

async fn flush(world: &Mutex<World>) {
    loop {
        let next = {
            let mut world = world.lock().unwrap();
            let found = world.fakes.values_mut().find(|f| !f.out.is_empty()).map(|f| f.out.remove(0));
            found.map(|(id, bytes)| (world.writers.get(&id).cloned(), bytes))
        };
        match next {
            None => return,
            Some((None, _)) => {}
            Some((Some(writer), bytes)) => drop(writer.lock().await.write_all(&bytes).await),
        }
    }
}

async fn until(events: &mut tokio::sync::broadcast::Receiver<Event>, wanted: impl Fn(&Event) -> bool) {
    while !wanted(&events.recv().await.expect("the node is there")) {}
}

#[tokio::test]
async fn a_file_system_mounts_and_unmounts() {
    let server = Server::start().await;
    let (mds, oss, client) =
        (server.node("127.0.0.2").await, server.node("127.0.0.3").await, server.node("127.0.0.4").await);
    assert_eq!(mds.mount_mdt("testfs", 0).await.unwrap().name, "testfs-MDT0000");
    assert_eq!(oss.mount_ost("testfs", 0).await.unwrap().devices.len(), 1);
    oss.mount_ost("testfs", 1).await.unwrap();
    assert_eq!(client.mount_client("testfs").await.unwrap().to_string(), "1 MDT, 2 OSTs");
    assert_eq!(client.config("testfs-client").await, Some(client.config("testfs-client").await.unwrap()));
    let twice = client.mount_client("testfs").await;
    assert!(matches!(twice, Err(PeerError::Mount { errno: -114, .. })), "{twice:?}");
    client.umount("testfs-client").await.unwrap();
    assert_eq!(client.config("testfs-client").await, None);
    oss.umount("testfs-OST0000").await.unwrap();
    let nosuch = client.mount_client("nosuch").await;
    assert!(matches!(nosuch, Err(PeerError::Mount { errno: -2, .. })), "{nosuch:?}");
}

#[tokio::test]
async fn a_revocation_is_told_and_answered() {
    let server = Server::start().await;
    let client = server.node("127.0.0.5").await;
    let mut events = client.events();
    client.mount_client("testfs").await.unwrap();
    server.with("127.0.0.5", |mgs| mgs.revoke(ResId::config("testfs", ConfigKind::Recover).unwrap())).await;
    until(&mut events, |e| matches!(e, Event::Notified { kind: ConfigKind::Recover, .. })).await;
    client.ping().await.unwrap();
    until(&mut events, |e| matches!(e, Event::Pinged { .. })).await;
    server.with("127.0.0.5", |mgs| assert_eq!((mgs.cancelled.len(), mgs.locks.len()), (1, 3))).await;
}

#[tokio::test]
async fn broken_connections_are_made_again_when_needed() {
    let server = Server::start().await;
    let client = server.node("127.0.0.6").await;
    let mut events = client.events();
    client.mount_client("testfs").await.unwrap();
    client.cut().await;
    client.ping().await.unwrap();
    until(&mut events, |e| matches!(e, Event::Pinged { .. })).await;
    assert!(server.world.lock().unwrap().conns > 3, "dialled anew");
}

#[tokio::test]
async fn power_off_tells_nobody() {
    let server = Server::start().await;
    let client = server.node("127.0.0.7").await;
    client.mount_client("testfs").await.unwrap();
    client.power_off().await;
    assert!(matches!(client.umount("testfs-client").await, Err(PeerError::Stopped)));
    server.with("127.0.0.7", |mgs| assert!(!mgs.opcodes().contains(&251))).await;
}

/// The MGS dials, as for a callback after it lost its connections: acceptor request, HELLO, ping.
#[tokio::test]
async fn a_node_accepts_connections() {
    let nid: Nid = "127.0.0.8@tcp".parse().unwrap();
    let free = TcpListener::bind("127.0.0.8:0").await.unwrap().local_addr().unwrap();
    let mut config = HostConfig::new(nid, vec![mgs()]);
    config.listen = Some(free);
    let _node = PeerHost::start(config).await.unwrap();
    let mut stream = TcpStream::connect(free).await.unwrap();
    let hello = Hello {
        version: 3,
        src_nid: mgs(),
        dst_nid: nid,
        src_pid: LNET_PID,
        dst_pid: 0,
        src_incarnation: 1,
        dst_incarnation: 0,
        ctype: ConnType::BulkIn,
        ips: Vec::new(),
    };
    let control = Hello { ctype: ConnType::Control, ..hello.clone() };
    let mut bytes = ConnReq { version: 1, nid }.to_bytes(Order::Little);
    bytes.extend(control.to_bytes(Order::Little));
    let ret = Handle([7; 16]);
    let msg = Message::Get { ret, match_bits: PING_MATCH_BITS, portal: 0, src_offset: 0, sink_length: 40 };
    let header = Header { dest: nid, src: mgs(), dest_pid: LNET_PID, src_pid: LNET_PID, payload_len: 0, msg };
    let plain = MsgHeader { kind: MsgKind::Lnet, csum: 0, zc_cookies: [0, 0] };
    bytes.extend(Frame::Lnet(plain, header, bytes::Bytes::new()).to_bytes(3, Order::Little));
    stream.write_all(&bytes).await.unwrap();
    let mut rx = BytesMut::new();
    let (answer, used) = loop {
        stream.read_buf(&mut rx).await.unwrap();
        if let Step::Done((hello, _), used) = Hello::parse(&rx).unwrap() {
            break (hello, used);
        }
    };
    assert_eq!((answer.src_nid, answer.dst_nid, answer.ctype), (nid, mgs(), ConnType::Control));
    let _hello = rx.split_to(used);
    let reply = loop {
        if let Step::Done(frame, _) = Frame::parse(&rx, 3, Order::Little).unwrap() {
            break frame;
        }
        stream.read_buf(&mut rx).await.unwrap();
    };
    let Frame::Lnet(_, header, payload) = reply else { panic!("{reply:?}") };
    assert_eq!((header.msg, payload.len()), (Message::Reply { dst: ret }, 40), "no more than the sink takes");
}

#[tokio::test]
async fn a_hundred_nodes_in_one_process() {
    let server = Server::start().await;
    let mut mounts = tokio::task::JoinSet::new();
    for i in 0..100 {
        let node = server.node(&Ipv4Addr::new(127, 1, 0, i + 1).to_string()).await;
        mounts.spawn(async move {
            let config = node.mount_client("testfs").await.unwrap();
            (node, config)
        });
    }
    let all = mounts.join_all().await;
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|(_, config)| *config == all[0].1));
}
