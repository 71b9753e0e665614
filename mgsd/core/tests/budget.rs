//! Logs have a life of 64767 indices: it is watched, and what does not fit is refused as a whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod harness;
mod targets;

use harness::Mgs;
use llog::{Log, LustreCfg};
use mgs_core::Errno;
use mgs_core::engine::Event;
use mgs_core::model::logs::{Budget, Forecast, Segment};
use targets::{mdt, ost, register};
use wire::mgs::ldd;

/// An MGS whose client log has been written to until `left` indices are left, in one segment.
fn nearly_full(left: u32) -> Mgs {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0)] {
        assert_eq!(register(&mut mgs, &target).status, 0);
    }
    let mut log: Log = mgs.engine.view().logs["testfs-client"].log.clone();
    let from = log.end();
    while log.last_index() < 64767 - left {
        // Two at a time may be one too many, because of padding.
        log.append(&LustreCfg::param(Some("testfs-client"), "llite.x=1"), 1_700_000_000).unwrap();
    }
    let segment = Segment { offset: from, cancelled: vec![], bytes: log.bytes_from(from) };
    let mut store = mgs.store.clone();
    store.insert(format!("llog/testfs-client/{:016x}", mgs.seq), {
        // The last commit wrote this much more.
        let entry = &mgs.engine.view().logs["testfs-client"];
        let old = entry.segment(mgs.seq);
        let bytes = [old.bytes, segment.bytes].concat();
        Segment { offset: old.offset, cancelled: vec![], bytes }.encode()
    });
    Mgs::on(store, mgs.seq)
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    // An OST needs six records in the client log.
    let mut mgs = nearly_full(5);
    let budget = mgs.engine.view().logs["testfs-client"].budget();
    assert!((64762..=64763).contains(&budget.used), "{budget:?}");
    assert_eq!((budget.limit, budget.percent(), budget.is_low()), (64767, 99, true));
    assert_eq!(mgs.engine.view().fullest_log(), Some(("testfs-client", budget)));
    let before = mgs.store.clone();
    let reply = register(&mut mgs, &ost(1));
    assert_eq!(reply.status, Errno::ENOSPC.status());
    assert_eq!(reply.info.flags & ldd::ERROR, ldd::ERROR);
    assert_eq!(mgs.store, before, "not in its own log, not in that of the MDT, and the index is free");
    assert!(!mgs.engine.view().logs.contains_key("testfs-OST0001"));
    // Starts of known targets go on.
    assert_eq!(register(&mut mgs, &ost(0).again()).status, 0);
    // A writeconf of the file system begins new logs.
    assert_eq!(register(&mut mgs, &mdt(0).writeconf()).status, 0);
    assert_eq!(register(&mut mgs, &ost(1)).status, 0);
    assert!(!mgs.engine.view().logs["testfs-client"].budget().is_low());
}

#[test]
fn the_last_index_can_be_used() {
    let mut mgs = nearly_full(8);
    assert_eq!(register(&mut mgs, &ost(1)).status, 0);
    assert_eq!(register(&mut mgs, &ost(2)).status, Errno::ENOSPC.status());
}

#[test]
fn seventy_percent_are_announced_once() {
    let mut mgs = nearly_full(64767 - 45_335);
    let low = |mgs: &Mgs| {
        mgs.events
            .iter()
            .filter(|e| matches!(e, Event::LogFilling { log, .. } if log == "testfs-client"))
            .count()
    };
    let budget = mgs.engine.view().logs["testfs-client"].budget();
    assert_eq!((budget.percent(), low(&mgs)), (69, 0), "{budget:?}");
    register(&mut mgs, &ost(1));
    assert_eq!((mgs.engine.view().logs["testfs-client"].budget().percent(), low(&mgs)), (70, 1));
    register(&mut mgs, &ost(2));
    assert_eq!(low(&mgs), 1);
}

#[test]
fn the_forecast_goes_by_what_was_written() {
    let mut mgs = Mgs::new();
    for target in [mdt(0), ost(0), ost(1)] {
        register(&mut mgs, &target);
    }
    let entry = &mgs.engine.view().logs["testfs-client"];
    let budget = entry.budget();
    assert_eq!((budget.used, budget.commits), (29, 3));
    assert_eq!(budget.commits_left(), Some((64767 - 29) * 3 / 29));
    let day = 86_400;
    let created = entry.head.created;
    assert_eq!(budget.forecast(created + 29 * day), Forecast::Full(created + 64767 * day));
    assert_eq!(budget.forecast(created + day - 1), Forecast::TooEarly, "minutes say nothing");
    assert_eq!(Budget { since: 0, ..budget }.forecast(created + 29 * day), Forecast::TooEarly);
    assert_eq!(Budget { used: 0, ..budget }.commits_left(), None);
}
