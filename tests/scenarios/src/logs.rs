//! Log files and parts of them, the recorded ones against ours.
use crate::mask::{Mask, Rule};
use llog::{LustreCfg, cmd, header::Header, record};
use std::ops::Range;

/// What differs: where, in the file of the kernel, in ours.
pub type Lines = Vec<(String, String, String)>;

/// Most lines that are worth reading.
const ENOUGH: usize = 12;

/// Compares log data: a whole file, a header, or a chunk with its zeros behind the last record. With `steps` markers
/// may count on from another number.
pub fn compare(kernel: &[u8], ours: &[u8], steps: bool, mask: &mut Mask) -> Lines {
    let mut kernel = kernel.to_vec();
    for part in parts(&kernel) {
        allow(&mut kernel, ours, &part, steps, mask);
    }
    if kernel == ours {
        return Vec::new();
    }
    let (want, got) = (describe(&kernel), describe(ours));
    let none = || "-".to_owned();
    let mut lines: Lines = (0..want.len().max(got.len()))
        .map(|i| (want.get(i), got.get(i)))
        .filter(|(w, g)| w != g)
        .map(|(w, g)| {
            let place = w.or(g).map_or_else(none, |l| l.0.clone());
            (place, w.map_or_else(none, |l| l.1.clone()), g.map_or_else(none, |l| l.1.clone()))
        })
        .collect();
    if lines.is_empty() {
        let at = kernel.iter().zip(ours).take_while(|(k, o)| k == o).count();
        let bytes = |data: &[u8]| {
            format!(
                "{:02x?} ({} bytes in all)",
                data.iter().skip(at).take(16).collect::<Vec<_>>(),
                data.len()
            )
        };
        lines.push((format!("byte {at}"), bytes(&kernel), bytes(ours)));
    }
    lines.truncate(ENOUGH);
    lines
}

/// A record in log data.
#[derive(Debug)]
struct Part {
    at: usize,
    len: usize,
    kind: u32,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number(v: u32) -> usize {
    usize::try_from(v).unwrap_or(usize::MAX)
}

/// Up to the first thing that is no record.
fn parts(data: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let (Some(len), Some(kind)) = (word(data, at), word(data, at + 8)) {
        let len = number(len);
        if len < record::MIN || kind & record::kind::MASK != record::kind::MAGIC {
            break;
        }
        parts.push(Part { at, len, kind });
        at += len;
    }
    parts
}

/// The payload of a record that is a marker, and where in `data` the marker is.
fn marker(data: &[u8], part: &Part) -> Option<Range<usize>> {
    let payload = part.at + record::HEAD;
    if part.kind != record::kind::CFG || word(data, payload + 4) != Some(cmd::MARKER) {
        return None;
    }
    let count = number(word(data, payload + 28)?);
    let first = number(word(data, payload + 32)?);
    let start = payload + (32 + 4 * count).next_multiple_of(8) + first.next_multiple_of(8);
    let end = start + number(word(data, payload + 36)?);
    (end <= part.at + part.len && end - start == llog::marker::LEN).then_some(start..end)
}

/// Lets `kernel` be `ours` where the mask says so.
fn allow(kernel: &mut [u8], ours: &[u8], part: &Part, steps: bool, mask: &mut Mask) {
    if part.kind == record::kind::HEADER {
        let stamp = part.at + 16..part.at + 24;
        // Also that of the header which is made up for a log without records, and which is only read, never written.
        if let (Some(k), Some(o)) = (kernel.get_mut(stamp.clone()), ours.get(stamp))
            && k != o
        {
            mask.used(Rule::LogTimestamp);
            k.copy_from_slice(o);
        }
        return;
    }
    // Also where ours is no marker: its frame differs then, and is not masked.
    let Some(at) = marker(kernel, part).map(|r| r.start) else { return };
    let fields = [
        (Rule::MarkerStep, 0..4),
        (Rule::MarkerVersion, 8..12),
        (Rule::MarkerTimes, 16..24),
        (Rule::MarkerTimes, 24..32),
    ];
    for (rule, range) in fields {
        if steps || rule != Rule::MarkerStep {
            field(kernel, ours, at + range.start..at + range.end, rule, mask);
        }
    }
    for name in [32, 96] {
        let range = at + name..at + name + llog::marker::NAME;
        let (Some(name), Some(other)) = (kernel.get_mut(range.clone()), ours.get(range)) else { return };
        let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
        let (Some(tail), Some(other)) = (name.get_mut(end..), other.get(end..)) else { return };
        // Bytes that the kernel wrote, and mgsd only keeps, are served as they are.
        if tail != other && tail.iter().any(|b| *b != 0) {
            mask.used(Rule::MarkerTail);
            tail.fill(0);
        }
    }
}

fn field(kernel: &mut [u8], ours: &[u8], range: Range<usize>, rule: Rule, mask: &mut Mask) {
    let (Some(k), Some(o)) = (kernel.get_mut(range.clone()), ours.get(range)) else { return };
    // A time that is not set is no time to differ in.
    let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
    if k != o && zero(k) == zero(o) {
        mask.used(rule);
        k.copy_from_slice(o);
    }
}

/// Log data in words: (place, content).
fn describe(data: &[u8]) -> Vec<(String, String)> {
    let mut out = vec![("size".to_owned(), data.len().to_string())];
    for part in parts(data) {
        let index = word(data, part.at + 4).unwrap_or_default();
        let bytes = data.get(part.at..part.at + part.len).unwrap_or_default();
        let payload = bytes.get(record::HEAD..part.len - record::TAIL).unwrap_or_default();
        let text = match part.kind {
            record::kind::HEADER => Header::decode(bytes).map(|h| {
                let set = h.bitmap.iter().map(|b| b.count_ones()).sum::<u32>();
                format!("{:?}, bits set {set}", Header { bitmap: Vec::new(), ..h })
            }),
            _ => LustreCfg::decode(payload)
                .map(|c| c.marker().map_or_else(|| in_words(&c), |m| format!("{m:?}"))),
        };
        let text = text.unwrap_or_else(|e| e.to_string());
        out.push((format!("record {index}"), format!("type {:#x} length {}: {text}", part.kind, part.len)));
    }
    out
}

fn in_words(c: &LustreCfg) -> String {
    let bufs: Vec<_> = c.bufs.iter().map(|b| b.escape_ascii().to_string()).collect();
    format!("{:#x} num {} flags {} nid {:#x} nal {} {bufs:?}", c.command, c.num, c.flags, c.nid, c.nal)
}
