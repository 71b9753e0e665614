//! Ranges: order and prefix.

use super::{Fresh, keys, must_commit, pairs, put, run};
use crate::RangeReply;

/// Keys around which prefixes go wrong: neighbours in byte order, wildcards of SQL and of shells, case.
const KEYS: [&str; 18] = [
    "FS/a", "fs", "fs%", "fs-a", "fs/A", "fs/a", "fs/a!", "fs/a%", "fs/a%b", "fs/a*", "fs/a-b", "fs/a/b",
    "fs/a/b/c", "fs/a_", "fs/ab", "fs/a~", "fs/b", "fs0",
];

/// By bytes, whatever the order of writing.
pub fn entries_are_sorted_by_bytes(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        for key in KEYS.iter().rev().step_by(2).chain(KEYS.iter().rev().skip(1).step_by(2)) {
            must_commit(&store, vec![put(key, key)]).await;
        }
        let all = keys(&store, "").await;
        assert!(all.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "{all:?}");
        let reply = store.range("").await.unwrap();
        assert_eq!(reply.seq, 18);
        let ours = reply.entries.iter().filter(|e| KEYS.contains(&e.key.as_str()));
        assert_eq!(ours.inspect(|e| assert_eq!(e.value, e.key.as_bytes())).count(), KEYS.len());
    });
}

/// Exactly the keys that start with the prefix; no character is special.
pub fn prefixes_are_exact(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        must_commit(&store, KEYS.iter().map(|key| put(key, "")).collect()).await;
        let mut all: Vec<&str> = KEYS.to_vec();
        all.extend(["commit/0000000000000001", "seq"]);
        all.sort_unstable();
        let prefixes = KEYS.iter().copied().chain([
            "",
            "f",
            "fs/",
            "fs/a/",
            "fs/a/b/",
            "fs/_",
            "fs/%",
            "fs/?",
            "%",
            "_",
            "*",
            "[a-z]",
            "fs/a'",
            "commit",
            "commit/",
            "seq",
            "seq/",
            "zzz",
            "fs/a\u{7f}",
            "fs/ä",
            "\u{10ffff}",
            "fs/a\0",
            "\0",
        ]);
        for prefix in prefixes {
            let expected: Vec<&str> = all.iter().copied().filter(|key| key.starts_with(prefix)).collect();
            assert_eq!(keys(&store, prefix).await, expected, "prefix {prefix:?}");
        }
    });
}

/// The values of the keys that were asked for and of no others, however many; each once, by bytes.
pub fn keys_are_read_together(factory: impl AsyncFn() -> Fresh) {
    run(async {
        let Fresh { store, keep: _keep } = factory().await;
        let read = async |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            store.read(&keys).await.unwrap()
        };
        assert_eq!(read(&["seq", "fs"]).await, RangeReply { entries: Vec::new(), seq: 0 });
        must_commit(&store, KEYS.iter().map(|key| put(key, key)).collect()).await;
        assert_eq!(pairs(&read(&[]).await), []);
        let asked = ["fs/b", "nobody", "fs/a", "fs", "fs/a", "seq", "fs/a/"];
        let found = ["fs", "fs/a", "fs/b"].map(|key| (key.to_owned(), key.to_owned()));
        let found = found.into_iter().chain([("seq".to_owned(), "1".to_owned())]);
        assert_eq!(pairs(&read(&asked).await), found.collect::<Vec<_>>());

        // more than any backend asks for at once
        let many: Vec<String> = (0..450).map(|i| format!("llog/many/{i:03}")).collect();
        for (n, part) in many.chunks(90).enumerate() {
            let seq = must_commit(&store, part.iter().map(|key| put(key, key)).collect()).await;
            assert_eq!(seq, 2 + n as u64);
        }
        let asked: Vec<String> = many.iter().rev().cloned().collect();
        let reply = store.read(&asked).await.unwrap();
        assert_eq!(reply.seq, 6);
        assert!(reply.entries.iter().map(|e| &e.key).eq(&many));
        assert!(reply.entries.iter().all(|e| e.value == e.key.as_bytes()));
    });
}
