//! What nodes asked for, and what became of it, is told to whoever looks after the MGS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod targets;

use harness::{Mgs, encode, nid};
use mgs_core::engine::Event;
use targets::{mdt, ost, register};
use wire::llog_rpc::LlogdBody;
use wire::mgs::ldd;
use wire::ptlrpc::opc;

/// A client of a file system asks for its log: what `mgsctl why` says of it.
fn why(mgs: &mut Mgs, log: &str) -> String {
    let peer = nid("10.0.0.4@tcp");
    let known = mgs.engine.exports().iter().find(|e| e.uuid == "client").map(|e| e.cookie);
    let handle = known.unwrap_or_else(|| mgs.connect(peer, "client"));
    let name = format!("{log}\0").into_bytes();
    let open = vec![encode(&LlogdBody::default()), name];
    let status = mgs.call(peer, handle, opc::LLOG_ORIGIN_HANDLE_CREATE, open).body().status;
    let said = mgs.events.iter().rev().find_map(|e| match e {
        Event::Answered { object, status, why, .. } if object == log => Some((*status, why.clone())),
        _ => None,
    });
    let (told, why) = said.unwrap();
    assert_eq!(told, status);
    why
}

#[test]
fn a_mistyped_file_system_is_named_with_those_that_there_are() {
    let mut mgs = Mgs::new();
    assert_eq!(
        why(&mut mgs, "nosuch-client"),
        "there is no file system 'nosuch' here; known: none; check the name in the mount command"
    );
    for fs in ["home", "scratch"] {
        register(&mut mgs, &mdt(0).of(fs));
    }
    assert!(why(&mut mgs, "nosuch-client").contains("known: home, scratch;"));
    assert!(why(&mut mgs, "home-OST0000").contains("mgsctl target list --fs home"));
    // Their absence is normal.
    assert_eq!((why(&mut mgs, "home-sptlrpc"), why(&mut mgs, "home-client")), (String::new(), String::new()));
}

#[test]
fn a_target_formatted_with_replace_is_a_line_and_an_event_of_its_commit() {
    let mut mgs = Mgs::new();
    register(&mut mgs, &mdt(0));
    register(&mut mgs, &ost(0));
    let (seq, told) = (mgs.engine.view().seq, mgs.events.len());
    assert_eq!(register(&mut mgs, &ost(0)).status, 0, "its reply was lost");
    let registered = |mgs: &Mgs| {
        let line = |e: &Event| matches!(e, Event::Registered { target, .. } if target == "testfs-OST0000");
        mgs.events[told..].iter().filter(|e| line(e)).count()
    };
    assert_eq!((registered(&mgs), mgs.engine.view().seq), (0, seq));
    let replace = ost(0).with(|n| n.info.flags &= !ldd::VIRGIN);
    assert_eq!(register(&mut mgs, &replace).status, 0);
    assert_eq!((registered(&mgs), mgs.engine.view().seq), (1, seq + 1));
    let record = String::from_utf8(mgs.store[&format!("commit/{:016x}", seq + 1)].clone()).unwrap();
    assert!(record.contains("\"target_registered\"") && record.contains("testfs-OST0000"), "{record}");
}
