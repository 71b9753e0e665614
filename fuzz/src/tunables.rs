//! Assignments of parameters, as an operator's list or a node's registration brings them.

use std::sync::OnceLock;

use tunables::{
    Assignment, Catalogue, Class, Judge, Policy, Severity, Topology, Validation, canonical, parse_list,
    translate,
};

/// Lines of a list that are judged; each is searched for near names.
const MOST_LINES: usize = 16;

fn topology() -> &'static Topology {
    static TOPOLOGY: OnceLock<Topology> = OnceLock::new();
    TOPOLOGY.get_or_init(|| {
        let text = "[[filesystem]]\nname = \"testfs\"\ntargets = [\"MDT0000\", \"MDT0001\", \"OST0000\", \"OST0001\"]\n\
                    nodemaps = [\"c0\", \"nm\"]\nversion = \"2.15.4\"\n";
        Topology::parse(text).unwrap()
    })
}

/// A list: one verdict of one line for each assignment, the stricter policy refuses at least as much, names
/// translate back.
pub fn param_list(data: &[u8]) {
    let judge = Judge::new(Catalogue::shipped()).topology(topology());
    let policy = |force, validation| Policy { force, validation, ..Policy::default() };
    let lenient = policy(true, Validation::Warn);
    for (_, parsed) in parse_list(data).take(MOST_LINES) {
        match parsed {
            Ok(assignment) => judged(&judge, &lenient, &assignment),
            Err(why) => assert!(!why.to_string().contains(char::is_control)),
        }
    }
}

fn judged(judge: &Judge<'_>, lenient: &Policy, assignment: &Assignment) {
    let strict = judge.judge(assignment);
    let mild = judge.policy(lenient).judge(assignment);
    for verdict in [&strict, &mild] {
        assert!(!verdict.to_string().contains(char::is_control), "{verdict:?}");
        assert_eq!(verdict.class == Class::Ok, verdict.severity == Severity::Accept);
    }
    assert!(strict.severity >= mild.severity, "{strict:?} {mild:?}");
    // What a policy lets pass never has what a shell or a terminal understands.
    if !mild.is_refused() {
        assert!(assignment.text.is_ascii() && !assignment.text.contains(char::is_control));
        assert!(!assignment.text.contains(['`', '$', ';', '|', '\\', '"', '\'']), "{mild:?}");
    }
    let name = assignment.name();
    for there in translate(assignment.syntax, name).iter().filter(|t| t.exact) {
        let back = translate(there.syntax, &there.name);
        assert!(back.len() == 1 && back[0].exact, "{there:?} {back:?}");
        assert_eq!(canonical(assignment.syntax, name), canonical(there.syntax, &there.name));
    }
}

/// A topology file: read, or refused in words.
pub fn param_topology(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Topology::parse(text) {
        Ok(topology) => assert!(topology.filesystems().all(|(name, _)| name.len() <= 8)),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}
