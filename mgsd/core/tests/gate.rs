//! Parameters are judged before they are stored: the lists of examples that came with the catalogue, given as orders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod assignments;
mod harness;
mod targets;

use assignments::{BAD, GOOD, hostile, lines};
use harness::Mgs;
use mgs_core::Errno;
use mgs_core::engine::Event;
use mgs_core::model::command::Command;
use mgs_core::model::command::nodemap::{self, Action, Edit};
use mgs_core::model::command::param::{self, Syntax};
use mgs_core::model::commit::{CommitRecord, EventKind};
use mgs_core::model::settings::Validation;
use std::collections::BTreeSet;
use std::time::Duration;
use targets::{mdt, ost, register};

/// The site that the head of the lists describes.
fn site() -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), mdt(1), ost(0), ost(1)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    let add = |name: &str| Edit::Of { name: name.to_owned(), action: Action::Add };
    let command = nodemap::Command { edits: ["c0", "nm"].map(add).to_vec() };
    mgs.order(Command::Nodemap(command)).unwrap();
    mgs
}

fn assign(text: &str, syntax: Option<Syntax>, force: bool) -> Command {
    param::Command::Assign { text: text.to_owned(), syntax, delete: false, force, wait: false }.into()
}

#[test]
fn good_examples_are_stored() {
    let (mut mgs, mut wrong) = (site(), Vec::new());
    let lines = lines(GOOD);
    assert!(lines.len() > 100);
    for (syntax, text, _) in lines {
        if let Err(error) = mgs.order(assign(&text, Some(syntax), false)) {
            wrong.push(format!("{text}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn bad_examples_are_refused_with_their_class_and_leave_no_trace() {
    let (mut mgs, mut wrong) = (site(), Vec::new());
    let before = mgs.state();
    let lines = lines(BAD);
    assert!(lines.len() > 100);
    for (syntax, text, class) in lines {
        match mgs.order(assign(&text, Some(syntax), false)) {
            Ok(done) => wrong.push(format!("{text}: {done:?}")),
            Err(error) if error.to_string().contains(&format!("({class})")) => {}
            Err(error) => wrong.push(format!("{text}: {error}; instead of {class}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(mgs.state(), before);
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

/// A target that registers with a parameter: what it brings, and the class where it is refused.
fn brought(text: &str) -> Option<(targets::Node, String)> {
    let (device, param) = text.split_once('.')?;
    let node = match device {
        "testfs-MDT0000" => mdt(0),
        "testfs-MDT0001" => mdt(1),
        "testfs-OST0000" => ost(0),
        "testfs-OST0001" => ost(1),
        "testfs" if ["sys.", "quota.", "llite."].iter().any(|class| param.starts_with(class)) => ost(1),
        _ => return None,
    };
    // Taken out of the parameters before they are judged: they are parts of the target.
    let own = ["mgsnode", "network", "autodegrade", "failover.", "srpc."];
    let quotes = param.contains(['"', '\'']) || param.is_empty();
    (!quotes && !own.iter().any(|name| param.starts_with(name))).then(|| (node, param.to_owned()))
}

/// Registers the site with one target bringing a parameter; the error of its registration.
fn register_with(node: targets::Node, param: &str) -> (i32, Vec<String>, Mgs) {
    let mut mgs = Mgs::new();
    let svname = node.info.svname.clone();
    for target in [mdt(0), mdt(1), ost(0), ost(1)].into_iter().filter(|t| t.info.svname != svname) {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    let (before, seen) = (mgs.state(), mgs.events.len());
    let reply = register(&mut mgs, &node.with(|n| n.info.params = format!("\"{param}\" ")));
    if reply.status != 0 {
        assert_eq!(mgs.state(), before, "{param} leaves a trace");
    }
    let why = mgs.events[seen..].iter().filter_map(|event| match event {
        Event::Refused { why, .. } => Some(why.clone()),
        _ => None,
    });
    (reply.status, why.collect(), mgs)
}

#[test]
fn good_examples_are_taken_from_registrations() {
    let mut done = 0;
    for (syntax, text, _) in lines(GOOD) {
        let Some((node, param)) = brought(&text).filter(|_| syntax == Syntax::ConfParam) else { continue };
        let (status, why, mgs) = register_with(node, &param);
        assert_eq!((status, why), (0, Vec::new()), "{text}");
        let name = param.split('=').next().unwrap();
        let settings = &mgs.engine.view().settings.conf["testfs"];
        assert!(settings.keys().any(|(_, known)| known == name), "{text} is not kept");
        done += 1;
    }
    assert!(done >= 60, "{done}");
}

#[test]
fn bad_examples_refuse_the_registration_with_their_class() {
    let (mut done, mut wrong) = (0, Vec::new());
    for (syntax, text, class) in lines(BAD) {
        let Some((node, param)) = brought(&text).filter(|_| syntax == Syntax::ConfParam) else { continue };
        let of_all = ["sys.", "quota.", "llite."].iter().any(|class| param.starts_with(class));
        if class == "bad-device" || (class == "wrong-target" && of_all) {
            continue; // here the device is whoever registers, or its file system
        }
        let svname = node.info.svname.clone();
        let (status, why, _) = register_with(node, &param);
        done += 1;
        let named = why.iter().any(|w| w.contains(&format!("({class})")) && w.contains(&svname));
        if status != Errno::EINVAL.status() || !named {
            wrong.push(format!("{text}: {status} {why:?} instead of {class}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {done} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(done >= 50, "{done}");
}

#[test]
fn hostile_assignments_are_refused_and_audited_whatever_the_policy() {
    for validation in [Validation::Enforce, Validation::Warn] {
        let (mut mgs, mut brought_in) = (site(), 0);
        mgs.order(param::Command::Validation(validation).into()).unwrap();
        let (before, seq) = (mgs.state(), mgs.seq);
        let list = hostile();
        assert!(list.len() >= 200, "{}", list.len());
        let texts: BTreeSet<String> = list.iter().map(|(_, text, _)| begins(text)).collect();
        for (syntax, text, class) in &list {
            for force in [false, true] {
                let seen = mgs.events.len();
                let refused = mgs.order_by("uid:1000", assign(text, Some(*syntax), force)).unwrap_err();
                assert_eq!(refused.errno(), Errno::EINVAL, "{text}");
                let noted = |e: &Event| matches!(e, Event::OrderRefused { actor, .. } if actor == "uid:1000");
                assert!(mgs.events[seen..].iter().any(noted), "{text} {class}");
            }
            if let Some((node, param)) = brought(text).filter(|_| *syntax == Syntax::ConfParam)
                && !param.contains(['\n', '\r', '\t', '\0'])
                && param.len() < 3000
            {
                let mut other = Mgs::new();
                other.order(param::Command::Validation(validation).into()).unwrap();
                assert_eq!(register(&mut other, &mdt(9)).status, 0);
                let (before, seq) = (other.state(), other.seq);
                let (svname, peer) = (node.info.svname.clone(), node.nids[0].clone());
                let node = node.with(|n| n.info.params = format!("\"{param}\" "));
                assert_ne!(register(&mut other, &node).status, 0, "{text}");
                assert!(other.events.iter().any(|e| matches!(e, Event::Refused { .. })), "{text}");
                assert_eq!(other.state(), before, "{text}");
                let said = other.restarted().audit(seq);
                let written = |(actor, kind): &(String, EventKind)| {
                    matches!(kind, EventKind::Refused { request, why, .. }
                        if actor.contains(&peer) && why.contains(&svname) && !request.is_empty())
                };
                assert!(said.iter().any(written), "{text}: {said:?}");
                brought_in += 1;
            }
        }
        assert!(brought_in >= 30, "{brought_in}");
        assert_eq!(mgs.state(), before);
        // Each is in the chain once, whoever insists, and is there after a restart.
        let mut written = BTreeSet::new();
        for (actor, kind) in mgs.restarted().audit(seq) {
            let EventKind::Refused { request, class, why } = kind else { panic!("{kind:?}") };
            assert!(actor == "uid:1000" && why.contains(" ("), "{actor}: {why}");
            let never = ["unsafe", "upcall", "bad-device", "refused", "syntax", "length"];
            assert!(never.contains(&class.as_str()), "{request}: {class}");
            assert!(written.insert(request.clone()), "{request} twice");
        }
        assert_eq!(written, texts);
    }
}

/// As the audit has it: escaped, the beginning.
fn begins(text: &str) -> String {
    let all = text.escape_default().to_string();
    if all.len() <= 256 { all } else { format!("{}… ({} bytes)", &all[..256], text.len()) }
}

/// Whoever asks again and again fills no disk.
#[test]
fn a_flood_of_hostile_assignments_is_counted() {
    let mut mgs = site();
    let seq = mgs.seq;
    let ask = |mgs: &mut Mgs, actor: &str, n: u32| {
        let text = format!("testfs-MDT0000.mdt.identity_upcall=/tmp/{n}");
        assert!(mgs.order_by(actor, assign(&text, None, false)).is_err());
    };
    (0..5000).for_each(|n| ask(&mut mgs, "uid:1000", n));
    (0..30).for_each(|n| ask(&mut mgs, &format!("uid:{}", 2000 + n), 0));
    assert_eq!(mgs.seq - seq, 500);
    mgs.advance(Duration::from_secs(600));
    let said = mgs.audit(seq);
    assert_eq!(mgs.seq - seq, 501);
    let counts: Vec<(String, u64)> = said
        .iter()
        .filter_map(|(actor, kind)| match kind {
            EventKind::RefusedAgain { times } => Some((actor.clone(), *times)),
            _ => None,
        })
        .collect();
    assert_eq!(counts.iter().map(|(_, times)| times).sum::<u64>(), 4530, "{counts:?}");
    assert!(counts.contains(&("uid:1000".to_owned(), 4500)) && counts.contains(&("others".to_owned(), 15)));
    assert!(counts.len() == 17, "{counts:?}");
    // Ten minutes later ten more fit; a node has a budget of its own.
    (5000..5020).for_each(|n| ask(&mut mgs, "uid:1000", n));
    assert_eq!(mgs.seq - seq, 511);
    let node = ost(7).with(|n| n.info.params = "ost.threads_max=$(id) ".to_owned());
    for _ in 0..3 {
        assert_ne!(register(&mut mgs, &node).status, 0);
    }
    assert_eq!(mgs.seq - seq, 512, "the same words again are counted");
    mgs.advance(Duration::from_secs(3600));
    assert_eq!(mgs.seq - seq, 513);
    assert_ne!(register(&mut mgs, &node).status, 0);
    assert_eq!(mgs.seq - seq, 514, "after an hour they are news");
    // All of it is small.
    let bytes: usize = mgs.store.iter().filter(|(k, _)| k.starts_with("commit/")).map(|(_, v)| v.len()).sum();
    assert!(bytes < 600_000, "{bytes}");
}

#[test]
fn warn_takes_what_a_kernel_takes_and_notes_it() {
    let mut mgs = site();
    let done = mgs.order(param::Command::Validation(Validation::Warn).into()).unwrap();
    let (validation, before) = (Validation::Warn, Validation::Enforce);
    assert_eq!(done.events, [EventKind::ValidationSet { validation, before }]);
    let mut mgs = mgs.restarted();
    let done = mgs.order(assign("testfs.llite.some_wrong_param=10", None, false)).unwrap();
    assert!(done.warnings.iter().any(|w| w.contains("some_wrong_param")), "{done:?}");
    let record: CommitRecord =
        serde_json::from_slice(&mgs.store[&format!("commit/{:016x}", done.seq.unwrap())]).unwrap();
    let noted = |e: &EventKind| matches!(e, EventKind::ParamTolerated { class, .. } if class == "unknown");
    assert!(record.events.iter().any(|e| noted(&e.kind)), "{record:?}");
    // What no node executes is taken, and leaves nothing, as with a kernel MGS.
    assert_eq!(mgs.order(assign("testfs.foo.bar=1", None, false)).unwrap().seq, None);
    // B01j of session B: the one that ends every mount.
    let fatal = "testfs-OST0042.osc.max_dirty_mb=1";
    assert!(mgs.order(assign(fatal, None, false)).unwrap_err().to_string().contains("(bad-device)"));
    // The same for what a target brings.
    let wrong = ost(2).with(|n| n.info.params = "ost.threads_max=16 ".to_owned());
    assert_eq!(register(&mut mgs, &wrong).status, 0);
    mgs.order(param::Command::Validation(Validation::Enforce).into()).unwrap();
    let wrong = ost(3).with(|n| n.info.params = "ost.threads_max=16 ".to_owned());
    assert_eq!(register(&mut mgs, &wrong).status, Errno::EINVAL.status());
}

#[test]
fn programs_are_allowed_by_root_alone() {
    let mut mgs = site();
    let upcall = "testfs-MDT0000.mdt.identity_upcall=/opt/site/identity";
    let allow = |program: &str, allowed| -> Command {
        param::Command::Program { program: program.to_owned(), allowed }.into()
    };
    assert!(mgs.order(assign(upcall, None, false)).unwrap_err().to_string().contains("(upcall)"));
    let by = mgs.order_by("uid:1000", allow("/opt/site/identity", true));
    assert_eq!(by.unwrap_err().errno(), Errno::EPERM);
    let said = mgs.audit(mgs.seq - 1);
    assert!(
        matches!(&said[..], [(actor, EventKind::Refused { request, class, .. })]
            if actor == "uid:1000" && class == "privilege" && request == "param allow /opt/site/identity"),
        "{said:?}"
    );
    for bad in ["", "identity", "/", "/opt/../bin/sh", "/opt//x", "/opt/x;y", "/opt/x y"] {
        assert_eq!(mgs.order(allow(bad, true)).unwrap_err().errno(), Errno::EINVAL, "{bad}");
    }
    assert!(mgs.order(allow("/opt/site/identity", true)).unwrap().seq.is_some());
    assert_eq!(mgs.order(allow("/opt/site/identity", true)).unwrap().seq, None);
    let mut mgs = mgs.restarted();
    assert!(mgs.order(assign(upcall, None, false)).unwrap().seq.is_some());
    mgs.order(param::Command::Validation(Validation::Warn).into()).unwrap();
    assert!(mgs.order(allow("/opt/site/identity", false)).unwrap().seq.is_some());
    assert!(mgs.order(assign("testfs-MDT0001.mdt.identity_upcall=/opt/site/identity", None, true)).is_err());
}
