//! What each route answers equals what the daemon said.

use super::*;

#[tokio::test]
async fn every_route_carries_the_daemons_answer() {
    let daemon = Daemon::start(Fake::default()).await;
    let (api, mgs) = (daemon.client().await, Fake::default());

    assert_eq!(api.status().await.unwrap(), mgs.status().await.unwrap());
    assert_eq!(api.fs_list().await.unwrap(), mgs.fs_list().await.unwrap());
    assert_eq!(api.fs("testfs").await.unwrap(), mgs.fs("testfs").await.unwrap());
    assert_eq!(api.targets(None).await.unwrap(), mgs.targets(None).await.unwrap());
    assert_eq!(api.targets(None).await.unwrap().items.len(), 3);
    assert_eq!(api.targets(Some("testfs")).await.unwrap(), mgs.targets(Some("testfs")).await.unwrap());
    assert_eq!(api.targets(Some("testfs")).await.unwrap().items.len(), 2);
    assert_eq!(api.target("testfs-OST000a").await.unwrap(), mgs.target("testfs-OST000a").await.unwrap());
    assert_eq!(api.clients().await.unwrap(), mgs.clients().await.unwrap());
    assert_eq!(api.logs(None).await.unwrap(), mgs.logs(None).await.unwrap());
    assert_eq!(api.logs(None).await.unwrap().items.len(), 2);
    assert_eq!(api.logs(Some("testfs")).await.unwrap(), mgs.logs(Some("testfs")).await.unwrap());
    assert_eq!(api.logs(Some("testfs")).await.unwrap().items.len(), 1);
    assert_eq!(api.log_file("testfs-client").await.unwrap(), fake::CLIENT_LOG);
    assert!(api.log_file("params").await.unwrap().is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_raw_log_says_which_commit_it_reflects() {
    let daemon = Daemon::start(Fake::default()).await;
    let answer = daemon.raw(b"GET /v1/logs/params/file HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("content-type: application/octet-stream"), "{answer}");
    assert!(answer.contains("mgsd-seq: 42"), "{answer}");
}

/// Figures from `llog_reader` and `llog_print --raw` on the same log, recorded beside it.
#[tokio::test]
async fn records_are_those_of_the_golden_log() {
    let daemon = Daemon::start(Fake::default()).await;
    let api = daemon.client().await;
    let List { seq, items } = api.log_records("testfs-client", None, None).await.unwrap();
    assert_eq!(seq, fake::SEQ);
    assert_eq!(items.len(), 55);
    assert_eq!(items.iter().map(|record| record.index).collect::<Vec<_>>(), (1..=55).collect::<Vec<_>>());
    assert_eq!(items.iter().filter(|record| record.live).count(), 48);
    assert_eq!(items.iter().filter(|record| record.command == "pad").count(), 1);

    // llog_reader prints `rec #N type=T len=L offset O` for every live record.
    let reader =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/api/testfs-client.llog_reader.txt"));
    let recorded: Vec<&str> = reader.lines().filter(|line| line.starts_with("rec #")).collect();
    let live = items.iter().filter(|record| record.live);
    let ours: Vec<String> = live
        .clone()
        .map(|r| format!("rec #{} type=10620000 len={} offset {}", r.index, r.length, r.offset))
        .collect();
    assert_eq!(ours, recorded);

    // llog_print --raw prints `- { index: N, event: E, …` for every live record, with NIDs as text(number).
    let print =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/api/testfs-client.llog_print-raw.txt"));
    assert_eq!(print.lines().count(), 48);
    for (record, line) in live.zip(print.lines()) {
        let event = format!("- {{ index: {}, event: {}, ", record.index, record.command);
        assert!(line.starts_with(&event), "{record:?} against {line}");
        for text in record.device.iter().chain(&record.nid) {
            assert!(line.contains(text.as_str()), "{record:?} against {line}");
        }
        for text in record.buffers.iter().filter(|text| !text.starts_with("hex:")) {
            assert!(line.contains(text.as_str()), "{record:?} against {line}");
        }
        if let Some(marker) = &record.marker {
            assert!(
                line.contains(&format!("flags: {:#04x}, version: {}", marker.flags, marker.lustre_version))
            );
            assert!(line.contains(&format!("createtime: {}", marker.created.unix())));
            assert!(
                line.contains(&format!("canceltime: {}", marker.cancelled.map_or(0, |time| time.unix())))
            );
        }
    }
}

#[tokio::test]
async fn a_range_of_records_includes_both_ends() {
    let daemon = Daemon::start(Fake::default()).await;
    let api = daemon.client().await;
    let indices = |list: List<mgs_api::LogRecord>| list.items.iter().map(|r| r.index).collect::<Vec<_>>();
    assert_eq!(indices(api.log_records("testfs-client", Some(54), None).await.unwrap()), [54, 55]);
    assert_eq!(indices(api.log_records("testfs-client", None, Some(2)).await.unwrap()), [1, 2]);
    assert_eq!(indices(api.log_records("testfs-client", Some(7), Some(7)).await.unwrap()), [7]);
    assert_eq!(indices(api.log_records("testfs-client", Some(0), Some(1)).await.unwrap()), [1]);
    assert!(indices(api.log_records("testfs-client", Some(56), Some(u32::MAX)).await.unwrap()).is_empty());
    assert!(indices(api.log_records("params", None, None).await.unwrap()).is_empty());
}
