//! A capture as the sequence of messages between one boot of a node and the MGS.
use bytes::BytesMut;
use capture::{Connection, Stream};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use wire::Order;
use wire::lnet::{Message, portal};
use wire::socklnd::{ConnReq, ConnType, Frame, Hello, Step};

const MGS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Request(ConnReq),
    Hello(Hello),
    Frame(Frame),
    /// All connections broke; somewhere between the last message on the old ones and the first on new ones.
    Broken,
}

#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) time: Duration,
    /// Type of the connection as the peer sees it.
    pub(crate) ctype: ConnType,
    pub(crate) from_peer: bool,
    pub(crate) item: Item,
}

/// Everything between the MGS and one incarnation of a node.
pub(crate) struct Boot {
    pub(crate) incarnation: u64,
    pub(crate) peer: wire::Nid,
    pub(crate) items: Vec<Timed>,
}

impl Boot {
    /// The part before a time.
    pub(crate) fn until(mut self, time: Duration) -> Self {
        self.items.retain(|t| t.time < time);
        self
    }
}

/// The boots of a node in a capture, in order.
pub(crate) fn boots(capture: &str, ip: Ipv4Addr) -> Vec<Boot> {
    let path = capture::vectors_dir().join(format!("captures/{}/{capture}.pcap.gz", &capture[..1]));
    let mut boots: Vec<Boot> = Vec::new();
    for connection in capture::load(&path).unwrap() {
        if connection.client.ip() != IpAddr::V4(ip) || connection.server.ip() != IpAddr::V4(MGS) {
            continue;
        }
        assert!(connection.from_start, "{capture}: no SYN");
        let (hello, items) = items(&connection);
        let known = |b: &&mut Boot| b.incarnation == hello.src_incarnation;
        if hello.ctype == ConnType::Control
            && let Some(boot) = boots.last_mut().filter(known)
        {
            let last = boot.items.iter().map(|t| t.time).max().unwrap();
            let time = last + (connection.start - last) / 2;
            boot.items.push(Timed { time, ctype: hello.ctype, from_peer: false, item: Item::Broken });
        }
        match boots.last_mut() {
            Some(boot) if boot.incarnation == hello.src_incarnation => boot.items.extend(items),
            _ => boots.push(Boot { incarnation: hello.src_incarnation, peer: hello.src_nid, items }),
        }
    }
    for boot in &mut boots {
        boot.items.sort_by_key(|t| t.time);
        gather_cancels(&mut boot.items);
    }
    boots
}

/// One node → MGS connection: the peer's HELLO and all its items, unsorted.
fn items(connection: &Connection) -> (Hello, Vec<Timed>) {
    let mut out = Vec::new();
    let stream = &connection.to_server;
    let Step::Done((request, _), used) = ConnReq::parse(&stream.bytes).unwrap() else {
        panic!("request cut")
    };
    let (hello, start) = hello(stream, used);
    let ctype = hello.ctype;
    let mut push = |stream: &Stream, end: usize, from_peer, item| {
        out.push(Timed { time: stream.time_of(end - 1), ctype, from_peer, item });
    };
    push(stream, used, true, Item::Request(request));
    push(stream, start, true, Item::Hello(hello.clone()));
    for (frame, end) in frames(stream, start) {
        push(stream, end, true, Item::Frame(frame));
    }
    let stream = &connection.to_client;
    let (answer, start) = self::hello(stream, 0);
    push(stream, start, false, Item::Hello(answer));
    for (frame, end) in frames(stream, start) {
        push(stream, end, false, Item::Frame(frame));
    }
    (hello, out)
}

fn hello(stream: &Stream, at: usize) -> (Hello, usize) {
    let Step::Done((hello, order), used) = Hello::parse(&stream.bytes[at..]).unwrap() else {
        panic!("HELLO cut")
    };
    assert_eq!(order, Order::Little);
    (hello, at + used)
}

fn frames(stream: &Stream, mut at: usize) -> Vec<(Frame, usize)> {
    let mut out = Vec::new();
    while at < stream.bytes.len() {
        let rest = BytesMut::from(&stream.bytes[at..]);
        let Step::Done(frame, used) = Frame::parse(&rest, 3, Order::Little).unwrap() else {
            panic!("frame cut")
        };
        at += used;
        out.push((frame, at));
    }
    out
}

/// The xid of a cancel request.
fn cancel_xid(t: &Timed) -> Option<u64> {
    match &t.item {
        Item::Frame(Frame::Lnet(_, header, _)) if t.from_peer => match header.msg {
            Message::Put { portal: portal::LDLM_CANCEL_REQUEST, match_bits, .. } => Some(match_bits),
            _ => None,
        },
        _ => None,
    }
}

/// Cancels further apart belong to different unmounts.
const BURST: Duration = Duration::from_millis(100);

/// Several kernel threads send the cancels of an unmount: takes each run of them together, in the order of xids.
fn gather_cancels(items: &mut Vec<Timed>) {
    let mut out: Vec<Timed> = Vec::new();
    let mut run_at = None;
    let mut latest = Duration::ZERO;
    for t in items.drain(..) {
        if let Some(xid) = cancel_xid(&t) {
            if t.time > latest + BURST {
                run_at = None;
            }
            latest = t.time;
            let start = *run_at.get_or_insert(out.len());
            let behind = |o: &Timed| cancel_xid(o).is_some_and(|x| x < xid);
            let at = start + out[start..].iter().take_while(|o| behind(o)).count();
            out.insert(at, t);
        } else {
            if t.from_peer {
                run_at = None;
            }
            out.push(t);
        }
    }
    *items = out;
}
