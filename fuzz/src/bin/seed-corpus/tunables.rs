//! Seeds for the judge of parameters: the lists of examples and of hostile assignments.
use crate::Corpus;

/// Lines in a seed.
const LINES: usize = 8;

const LISTS: [(&str, &str); 3] = [
    ("good", include_str!("../../../../vectors/tunables/examples-good.txt")),
    ("bad", include_str!("../../../../vectors/tunables/examples-bad.txt")),
    ("hostile", include_str!("../../../../vectors/tunables/hostile.txt")),
];

/// Fills in lists and topologies.
pub(crate) fn fill(corpus: &mut Corpus) {
    for (name, list) in LISTS {
        let lines: Vec<&str> = list.lines().filter(|l| !l.starts_with('#')).collect();
        for (at, chunk) in lines.chunks(LINES).enumerate() {
            corpus.add("param_list", format!("{name}-{at:02}"), chunk.join("\n"));
        }
    }
    let version = "[[filesystem]]\nname = \"testfs\"\ntargets = [\"MDT0000\", { name = \"OST0000\", version = \"2.15.4\" }]\n";
    corpus.add("param_topology", "derived-versions", version);
    let whole = "nodemaps = [\"nm\"]\n[[filesystem]]\nname = \"a-b\"\ntargets = [\"a-b-OST00ff\"]\nnodemaps = [\"c0\"]\npools = [\"p\"]\nversion = \"2.17.57\"\n";
    corpus.add("param_topology", "derived-whole", whole);
    corpus.add("param_topology", "derived-bad-name", "[[filesystem]]\nname = \"averylongname\"\n");
}
