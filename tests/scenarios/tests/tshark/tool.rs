//! Runs tshark: one line per packet that ends at least one LNet message, one column per field of `lnet` and `lustre`.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

/// Between the values of one column.
pub(crate) const SEPARATOR: &str = "\u{1f}";
const ABOUT: [&str; 5] = ["frame.number", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport"];

/// What tshark made of one packet: the messages that end in it.
pub(crate) struct Row {
    /// Number of the packet in the file.
    pub(crate) packet: u32,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// Field to its values in order, joined by [`SEPARATOR`]; without columns that are empty.
    columns: BTreeMap<String, String>,
}

impl Row {
    pub(crate) fn get(&self, field: &str) -> &str {
        self.columns.get(field).map_or("", String::as_str)
    }
    pub(crate) fn values(&self, field: &str) -> Vec<&str> {
        if self.get(field).is_empty() { Vec::new() } else { self.get(field).split(SEPARATOR).collect() }
    }
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }
}

fn tshark(arguments: &[&str]) -> String {
    let run = Command::new("tshark").args(arguments).env("TZ", "UTC").stdin(Stdio::null()).output();
    let output = run.unwrap_or_else(|e| panic!("tshark: {e}; `scripts/setup` installs it"));
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("tshark writes UTF-8")
}

/// Every field of the two protocols that has a value (FT_NONE: only a heading).
fn fields() -> Vec<String> {
    let list = tshark(&["-G", "fields"]);
    let rows = list.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let ours = rows.filter(|f| f[0] == "F" && (f[2].starts_with("lnet.") || f[2].starts_with("lustre.")));
    let mut names: Vec<String> = ours.filter(|f| f[3] != "FT_NONE").map(|f| f[2].to_owned()).collect();
    names.sort();
    names.dedup();
    assert!(names.len() > 400, "tshark knows {} fields: its Lustre dissector is missing", names.len());
    names
}

/// The packets of an unpacked pcap file that tshark finds LNet messages in.
pub(crate) fn decode(pcap: &Path) -> Vec<Row> {
    let names = fields();
    let aggregator = format!("aggregator={SEPARATOR}");
    let mut arguments = vec!["-r", pcap.to_str().unwrap(), "-d", "tcp.port==988,lnet", "-Y", "lnet"];
    arguments.extend(["-T", "fields", "-E", "occurrence=a", "-E", &aggregator]);
    for name in ABOUT.into_iter().chain(names.iter().map(String::as_str)) {
        arguments.extend(["-e", name]);
    }
    let text = tshark(&arguments);
    text.lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), ABOUT.len() + names.len(), "{line}");
            let address = |ip: usize, port: usize| {
                SocketAddr::new(cells[ip].parse::<IpAddr>().unwrap(), cells[port].parse().unwrap())
            };
            let known = names.iter().zip(&cells[ABOUT.len()..]).filter(|(_, v)| !v.is_empty());
            Row {
                packet: cells[0].parse().unwrap(),
                from: address(1, 3),
                to: address(2, 4),
                columns: known.map(|(n, v)| (n.clone(), (*v).to_owned())).collect(),
            }
        })
        .collect()
}
