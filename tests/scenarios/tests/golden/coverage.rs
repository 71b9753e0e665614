//! No recorded stage is silently absent: each is replayed here, or stands below with what proves it instead.
use crate::session::{How, Stage};
use crate::{a, later};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Why a stage is not replayed as a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Somebody typed a command at the MGS: what it does to logs and index is compared with the recorded state there.
    Order,
    /// The peers do something that an MGS has no part in, or only show what they have.
    NoMgs,
    /// Nothing of the registrations is on the wire: MGS and targets are on one node (0@lo). A client's mount that
    /// follows has nothing in it that is not replayed elsewhere.
    OneNode,
}

/// Session, beginning of the stage's name, class, tests (`file::function`).
const ELSEWHERE: &[(&str, &str, Class, &[&str])] = &[
    (
        "B",
        "B01",
        Class::Order,
        &[
            "golden_orders::conf_param_leaves_the_logs_of_the_kernel",
            "golden_orders::what_the_kernel_takes_and_no_node_survives_is_refused",
            "golden_orders::a_deletion_skips_the_section_and_appends_nothing",
        ],
    ),
    ("B", "B02", Class::Order, &["golden_orders::set_param_leaves_the_log_of_the_kernel"]),
    ("B", "B03", Class::Order, &["golden_orders::pools_have_the_sections_of_the_kernel"]),
    (
        "B",
        "B05",
        Class::Order,
        &[
            "nodemap::the_commands_of_session_b_give_the_pages_that_the_kernel_served",
            "nodemap::the_commands_of_session_b_leave_the_index_that_the_kernel_left",
        ],
    ),
    ("B", "B06", Class::NoMgs, &[]),
    // Usage errors of lctl only: nothing was sent.
    ("B", "B07", Class::NoMgs, &[]),
    ("B", "B08", Class::Order, &["barrier::frozen_and_thawed_as_in_the_recorded_session"]),
    ("B", "B09", Class::NoMgs, &[]),
    ("C", "C09", Class::Order, &["log_edits::del_ost_cancels_the_records_that_the_kernels_tool_cancels"]),
    ("C", "C08", Class::Order, &["log_edits::llog_cancel_clears_one_bit"]),
    ("C", "C07z", Class::NoMgs, &[]),
    (
        "C",
        "C07",
        Class::Order,
        &[
            "log_edits::replace_nids_and_clear_conf_write_the_logs_of_the_kernel",
            "log_edits::replace_nids_is_refused_as_by_the_kernel_and_where_the_kernel_says_nothing",
        ],
    ),
    (
        "C",
        "C10a",
        Class::Order,
        &["log_edits::a_fork_has_the_logs_of_the_kernels_but_its_pools_have_its_name"],
    ),
    (
        "C",
        "C10b",
        Class::Order,
        &["log_edits::an_erased_file_system_takes_its_parameters_with_it_and_no_others"],
    ),
    ("C", "C10c", Class::Order, &["log_edits::llog_remove_takes_one_log"]),
    // This build of the kernel has no GSS, and refuses all of them.
    ("E", "E04", Class::Order, &[]),
    ("E", "E06", Class::Order, &[]),
    ("E", "E07", Class::Order, &["golden_orders::set_param_leaves_the_log_of_the_kernel"]),
    ("E", "E08", Class::Order, &["golden_orders::set_param_leaves_the_log_of_the_kernel"]),
    ("E", "E09", Class::NoMgs, &[]),
    ("E", "E10", Class::NoMgs, &[]),
    ("E", "E11", Class::NoMgs, &[]),
    ("E", "E13", Class::OneNode, &[]),
    ("E", "E14", Class::OneNode, &[]),
    ("E", "E15", Class::OneNode, &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Whether a stage, from its first to its last second, lies in what is replayed.
fn is_replayed(stages: &[Stage], first: u64, last: u64) -> bool {
    let mut from = 0;
    let covered = stages.iter().all(|stage| {
        let apart = last <= from || stage.until <= first;
        from = stage.until;
        apart || !matches!(stage.how, How::LeftOut(_))
    });
    covered && last <= from
}

#[test]
fn every_recorded_stage_is_replayed_or_proved_elsewhere() {
    let sessions = [("A", a::STAGES), ("B", later::B), ("C", later::C), ("E", later::E)];
    let text = std::fs::read_to_string(capture::vectors_dir().join("stages.tsv")).unwrap();
    let (mut replayed, mut met) = (0, BTreeSet::new());
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let [session, stage, first, last] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let stages = sessions.iter().find(|(name, _)| *name == session).unwrap().1;
        let here = is_replayed(stages, first.parse().unwrap(), last.parse().unwrap());
        let there = ELSEWHERE.iter().position(|(s, name, ..)| *s == session && stage.starts_with(name));
        assert!(here || there.is_some(), "{session} {stage} is nowhere");
        replayed += usize::from(here);
        if !here {
            met.extend(there);
        }
    }
    let idle: Vec<_> = (0..ELSEWHERE.len()).filter(|i| !met.contains(i)).map(|i| ELSEWHERE[i]).collect();
    assert!(idle.is_empty(), "no such stage, or it is replayed: {idle:?}");
    assert!(replayed > 50, "{replayed}");
}

/// `file::function` of a test, in one of the folders where tests are.
fn exists(test: &str) -> bool {
    let Some((file, function)) = test.split_once("::") else { return false };
    let wanted = [format!("fn {function}("), format!("fn {function}()")];
    let holds = |path: PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|text| wanted.iter().any(|w| text.contains(w.as_str())))
    };
    ["mgsd/core/tests", "mgsd/tests", "tests/scenarios/tests", "mgsctl/tests"].iter().any(|folder| {
        let place = root().join(folder).join(file);
        let inside = std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        inside.chain([place.with_extension("rs")]).any(holds)
    })
}

#[test]
fn tests_that_are_named_exist() {
    for test in ELSEWHERE.iter().flat_map(|(.., tests)| *tests) {
        assert!(exists(test), "{test}");
    }
    assert!(!exists("golden_orders::no_such_test") && !exists("no_such_file::it"));
    let page = std::fs::read_to_string(root().join("docs/better-than-kernel.md")).unwrap();
    let mut named = 0;
    for row in page.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| A kernel")) {
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
        assert!(!tests.is_empty(), "no test is named: {row}");
        for test in tests {
            assert!(exists(test), "{test}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
