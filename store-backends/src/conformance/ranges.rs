//! Ranges: order and prefix.

use super::{Fresh, keys, must_commit, put, run};

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
