//! Parameters are judged before they are stored: the lists of examples that came with the catalogue, given as orders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::Mgs;
use mgs_core::Errno;
use mgs_core::model::command::Command;
use mgs_core::model::command::param::{self, Syntax};
use targets::{mdt, ost, register};

const GOOD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tunables/examples-good.txt"));
const BAD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tunables/examples-bad.txt"));

/// The site that the head of the lists describes.
fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), mdt(1), ost(0), ost(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    mgs
}

fn assign(text: &str, syntax: Option<Syntax>, force: bool) -> Command {
    param::Command::Assign { text: text.to_owned(), syntax, delete: false, force, wait: false }.into()
}

/// Assignments that are stored, with their syntax and third column.
fn lines(list: &'static str) -> Vec<(Syntax, &'static str, &'static str)> {
    let mut out = Vec::new();
    for line in list.lines().filter(|l| !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let syntax = match columns[0] {
            "conf_param" => Syntax::ConfParam,
            "set_param-P" => Syntax::SetParam,
            _ => continue, // set_param without -P is no affair of the MGS
        };
        out.push((syntax, columns[1], columns[2]));
    }
    out
}

/// Good, and not stored yet: security rules, and failover nodes by path.
const NOT_YET: [&str; 3] = [
    "testfs.srpc.flavor.default=skpi",
    "testfs.srpc.flavor.tcp.cli2mdt=krb5p",
    "obdfilter.testfs-OST0000.failover.node=10.0.0.2@tcp",
];

#[test]
fn good_examples_are_stored() {
    let (mut mgs, mut wrong) = (site(), Vec::new());
    let lines = lines(GOOD);
    assert!(lines.len() > 100);
    for (syntax, text, _) in lines {
        match mgs.order(assign(text, Some(syntax), false)) {
            Err(error) if !NOT_YET.contains(&text) => wrong.push(format!("{text}: {error}")),
            Ok(_) if NOT_YET.contains(&text) => wrong.push(format!("{text} is stored: take it off the list")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn bad_examples_are_refused_with_their_class_and_leave_no_trace() {
    let (mut mgs, mut wrong) = (site(), Vec::new());
    let before = mgs.store.clone();
    let lines = lines(BAD);
    assert!(lines.len() > 100);
    for (syntax, text, class) in lines {
        match mgs.order(assign(text, Some(syntax), false)) {
            Ok(done) => wrong.push(format!("{text}: {done:?}")),
            Err(error) if error.to_string().contains(&format!("({class})")) => {}
            Err(error) => wrong.push(format!("{text}: {error}; instead of {class}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(mgs.store, before);
}

#[test]
fn force_takes_names_that_nobody_knows_and_nothing_else() {
    let mut mgs = site();
    let typo = "testfs-OST0000.osc.max_drity_mb=64";
    let refused = mgs.order(assign(typo, None, false)).unwrap_err().to_string();
    assert!(refused.contains("did you mean max_dirty_mb?"), "{refused}");
    assert!(mgs.order(assign(typo, None, true)).unwrap().seq.is_some());
    for text in [
        "testfs-OST0042.osc.max_dirty_mb=64",
        "testfs-OST0000.osc.max_dirty_mb=lots",
        "testfs-MDT0000.mdt.identity_upcall=/tmp/evil",
    ] {
        assert_eq!(mgs.order(assign(text, None, true)).unwrap_err().errno(), Errno::EINVAL, "{text}");
    }
    // What is stored may go, whatever it is.
    let gone = param::Command::Assign {
        text: "testfs-OST0000.osc.max_drity_mb".to_owned(),
        syntax: None,
        delete: true,
        force: false,
        wait: false,
    };
    assert!(mgs.order(gone.into()).unwrap().seq.is_some());
}
