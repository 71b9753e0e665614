//! Nodemap index pages and their records.
use wire::nodemap::{Entry, IndexPage, PAGE, PER_PAGE, Record, sort_for_delivery};
use wire::{Order, Reader, Writer};

/// Pages of 4096 bytes.
pub fn nodemap_pages(data: &[u8]) {
    let mut r = Reader::new(data, Order::Little);
    let mut all = Vec::new();
    while r.remaining() > 0 {
        let Ok(page) = IndexPage::decode(&mut r) else { break };
        assert!(page.entries.len() <= PER_PAGE);
        let mut w = Writer::new(Order::Big);
        page.encode(&mut w);
        let bytes = w.into_vec();
        assert_eq!(bytes.len(), PAGE);
        assert_eq!(IndexPage::decode(&mut Reader::new(&bytes, Order::Little)).as_ref(), Ok(&page));
        page.entries.iter().for_each(record);
        all.extend(page.entries);
    }
    let count = all.len();
    sort_for_delivery(&mut all);
    let pages = IndexPage::pages(&all);
    assert_eq!(pages.iter().map(|p| p.entries.len()).sum::<usize>(), count);
}

/// Entries of 8 + 32 bytes.
pub fn nodemap_record(data: &[u8]) {
    for bytes in data.chunks_exact(40) {
        let mut r = Reader::new(bytes, Order::Little);
        let (Ok(key), Ok(rec)) = (r.array("key"), r.array("record")) else { return };
        record(&Entry { key, rec });
    }
}

fn record(entry: &Entry) {
    let Ok(record) = Record::parse(entry) else { return };
    let written = record.to_entry();
    assert_eq!(Record::parse(&written), Ok(record));
}
