//! All captures of a real kernel MGS: every field that tshark knows has the value that we read.
use crate::bodies::{NM_CUR_PASS, SIZE};
use crate::known::{COMPARED, OPAQUE, names};
use crate::ours::{self, Values};
use crate::tool::{self, Row, SEPARATOR};
use bytes::BytesMut;
use capture::Stream;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use wire::Order;
use wire::socklnd::{ConnReq, Frame, Hello, Step};

/// The kernel MGS of the recordings.
const MGS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

fn files() -> Vec<PathBuf> {
    let sessions = std::fs::read_dir(capture::vectors_dir().join("captures")).unwrap();
    let files = sessions.flat_map(|session| std::fs::read_dir(session.unwrap().path()).unwrap());
    let mut found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 12, "captures are missing: {found:?}");
    found
}

/// The LNet messages of one direction.
fn messages(stream: &Stream, handshake: bool, dialler: bool) -> Vec<Frame> {
    let mut buffer = BytesMut::from(&stream.bytes[..]);
    if handshake
        && dialler
        && let Step::Done(_, used) = ConnReq::parse(&buffer).unwrap()
    {
        drop(buffer.split_to(used));
    }
    if handshake && let Step::Done(_, used) = Hello::parse(&buffer).unwrap() {
        drop(buffer.split_to(used));
    }
    let mut out = Vec::new();
    while let Step::Done(frame, _) = Frame::split(&mut buffer, 3, Order::Little).unwrap() {
        // A keepalive is nothing to tshark.
        if matches!(frame, Frame::Lnet(..)) {
            out.push(frame);
        }
    }
    assert!(buffer.is_empty());
    out
}

/// Messages not yet compared, by sender and receiver; connections of the same ports follow each other.
fn read(path: &Path) -> BTreeMap<(SocketAddr, SocketAddr), VecDeque<Frame>> {
    let mut out: BTreeMap<_, VecDeque<Frame>> = BTreeMap::new();
    for c in capture::load(path).unwrap() {
        let sent = messages(&c.to_server, c.from_start, true);
        out.entry((c.client, c.server)).or_default().extend(sent);
        let answered = messages(&c.to_client, c.from_start, false);
        out.entry((c.server, c.client)).or_default().extend(answered);
    }
    out
}

#[derive(Default)]
struct Tally {
    messages: usize,
    /// Values that agreed, by field.
    agreed: BTreeMap<String, usize>,
    differences: Vec<String>,
    /// Fields that tshark showed and nobody compared.
    unknown: BTreeMap<String, usize>,
}

impl Tally {
    fn compare(&mut self, at: &str, row: &Row, ours: &Values, with_mgs: bool) {
        for name in row.names() {
            let known = ours.0.contains_key(name) || name == NM_CUR_PASS;
            if !known && with_mgs {
                *self.unknown.entry(name.to_owned()).or_default() += row.values(name).len();
            }
        }
        for (name, values) in &ours.0 {
            let pass = if *name == SIZE { row.get(NM_CUR_PASS) } else { "" };
            let theirs = if pass.is_empty() { row.get(name) } else { pass };
            if theirs == values.join(SEPARATOR) {
                *self.agreed.entry((*name).to_owned()).or_default() +=
                    if theirs.is_empty() { 0 } else { values.len() };
            } else if with_mgs || COMMON.iter().any(|c| name.starts_with(c)) {
                let theirs = theirs.replace(SEPARATOR, " ");
                self.differences.push(format!(
                    "{at} packet {}: {name}: tshark {theirs:?}, we {:?}",
                    row.packet,
                    values.join(" ")
                ));
            }
        }
    }
}

/// Compared for every service; the bodies behind them only for the MGS.
const COMMON: [&str; 4] = ["lnet.msg_", "lnet.ksm_", "lustre.lustre_msg_v2.", "lustre.ptlrpc_body."];

#[test]
fn every_field_that_tshark_knows_has_our_value() {
    let mut tally = Tally::default();
    for path in files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut plain = tempfile::NamedTempFile::new().unwrap();
        let packed = std::fs::File::open(&path).unwrap();
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(packed), plain.as_file_mut()).unwrap();
        plain.flush().unwrap();
        let mut waiting = read(&path);
        for row in tool::decode(plain.path()) {
            let with_mgs = [row.from.ip(), row.to.ip()].contains(&MGS);
            let queue = waiting.get_mut(&(row.from, row.to)).expect("a connection that we know");
            let mut ours = Values::default();
            for _ in row.values("lnet.ksm_type") {
                let frame = queue.pop_front().expect("a message that we know");
                ours::add(&mut ours, &frame, with_mgs);
                tally.messages += 1;
            }
            tally.compare(&name, &row, &ours, with_mgs);
        }
        let left: usize = waiting.values().map(VecDeque::len).sum();
        assert_eq!(left, 0, "{name}: messages that tshark did not see");
    }
    let shown: Vec<&str> = tally.differences.iter().take(20).map(String::as_str).collect();
    assert!(shown.is_empty(), "{} differences:\n{}", tally.differences.len(), shown.join("\n"));
    let opaque: BTreeSet<String> = names(&OPAQUE).collect();
    let unknown: BTreeSet<String> = tally.unknown.keys().cloned().collect();
    assert_eq!(unknown, opaque, "fields that tshark shows and nobody compares");
    let compared: BTreeSet<String> = names(&COMPARED).collect();
    let agreed: BTreeSet<String> =
        tally.agreed.iter().filter(|(_, n)| **n > 0).map(|(f, _)| f.clone()).collect();
    assert_eq!(agreed, compared, "fields that agreed somewhere");
    let values: usize = tally.agreed.values().sum();
    println!("{} messages, {} fields, {values} values agree", tally.messages, agreed.len());
    for (field, n) in &tally.agreed {
        println!("{n:7} {field}");
    }
    assert!(tally.messages > 6_000 && values > 1_000_000, "{} messages, {values} values", tally.messages);
}
