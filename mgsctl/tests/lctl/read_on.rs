//! A client that stays mounted while the MGS behind its NID is another one: from a kernel's disk to mgsd, on, and out again.

use std::time::Duration;

use lustre_peer::interp::{ConfigTree, Interpreter, Role};
use lustre_peer::{Event, HostConfig, PeerHost};
use scenarios::daemon::Daemon;
use tokio::sync::broadcast::Receiver;

use super::import::{done, stages, write};

const CLIENT: &str = "testfs-client";
const MGS: &str = "10.77.0.2@tcp";
/// How long a test waits for what it names.
const PATIENCE: Duration = Duration::from_secs(60);

/// The MGS starts anew with another disk, at the same address.
async fn with_disk(daemon: Daemon, disk: &str) -> Daemon {
    let stopped = daemon.pause().await.unwrap();
    std::fs::remove_dir_all(stopped.store()).unwrap();
    let daemon = stopped.start().await.unwrap();
    done(&daemon, &["import", "--from", disk]);
    daemon
}

/// What mgsd gives out for a kernel, and the log of clients in it.
fn exported(daemon: &Daemon) -> (tempfile::TempDir, llog::Log) {
    let out = tempfile::tempdir().unwrap();
    done(daemon, &["export-mgt", out.path().to_str().unwrap()]);
    let file = std::fs::read(out.path().join("CONFIGS").join(CLIENT)).unwrap();
    (out, llog::Log::from_file(&file).unwrap())
}

/// How many records the client reads until it has come to this index. No rule is broken meanwhile.
async fn reads_up_to(events: &mut Receiver<Event>, index: u32) -> usize {
    let (mut read, mut seen) = (0, Vec::new());
    let all = async {
        loop {
            let event = events.recv().await.unwrap();
            match &event {
                Event::LogRead { log, records, last, .. } if log == CLIENT => {
                    read += records.unwrap_or(0);
                    if *last == index {
                        return;
                    }
                }
                Event::Violation(what) => panic!("{what}"),
                Event::MountFailed { why, .. } => panic!("{why}"),
                _ => {}
            }
            seen.push(event);
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        panic!("record {index} was not read: {seen:?}");
    }
    read
}

/// The records of a log behind an index that a reader executes.
fn behind(log: &llog::Log, index: u32) -> Vec<(u32, Vec<u8>)> {
    let live = log.records().filter(|r| r.live && !r.is_pad() && r.index > index);
    live.map(|r| (r.index, r.cfg().unwrap().encode())).collect()
}

fn executed(records: &[(u32, Vec<u8>)]) -> ConfigTree {
    let mut reader = Interpreter::new(Role::Client, CLIENT, Default::default());
    records.iter().for_each(|(index, payload)| reader.execute(*index, payload).unwrap());
    reader.tree().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_client_goes_on_with_the_next_record_here_and_behind_the_export() {
    let mut recorded = stages("B");
    let disks = ["B00-mounted", "B01h-conf_params"].map(|stage| recorded.remove(stage).unwrap());
    let logs =
        disks.each_ref().map(|files| llog::Log::from_file(&files[&format!("CONFIGS/{CLIENT}")]).unwrap());
    let disks = disks.each_ref().map(write);
    let disk = |n: usize| disks[n].path().to_str().unwrap();

    // The client reads what the kernel had when it was mounted.
    let daemon = Daemon::start(MGS.parse().unwrap(), Duration::ZERO).await.unwrap();
    done(&daemon, &["import", "--from", disk(0)]);
    let mut config = HostConfig::new("10.77.0.4@tcp".parse().unwrap(), vec![MGS.parse().unwrap()])
        .with_mgs_addr(daemon.lnet);
    config.speed = 8;
    let client = PeerHost::start(config).await.unwrap();
    let mut events = client.events();
    client.mount_client("testfs").await.unwrap();
    let [first, second] = logs.each_ref().map(llog::Log::last_index);
    assert_eq!(reads_up_to(&mut events, first).await, behind(&logs[0], 0).len());

    // The kernel wrote on. Then mgsd has its disk and its NID, and the client goes on behind what it has.
    assert!(second > first + 10);
    let daemon = with_disk(daemon, disk(1)).await;
    let news = behind(&logs[1], first);
    assert_eq!(reads_up_to(&mut events, second).await, news.len());
    let mut all = [behind(&logs[0], 0), news].concat();
    assert_eq!(client.config(CLIENT).await.unwrap().params, executed(&all).params);

    // mgsd writes on; what it exports has the same records behind the same index.
    done(&daemon, &["param", "set", "testfs.llite.max_read_ahead_mb=91"]);
    let (out, export) = exported(&daemon);
    let third = export.last_index();
    let news = behind(&export, second);
    assert_eq!((news.len(), reads_up_to(&mut events, third).await), (3, 3));
    all.extend(news);
    let tree = client.config(CLIENT).await.unwrap();
    assert_eq!(tree.params, executed(&all).params);
    assert!(tree.params.values().any(|value| value == "91"), "{:?}", tree.params);

    // An MGS that starts from the export: the client has nothing to read again, and goes on behind it.
    let daemon = with_disk(daemon, out.path().to_str().unwrap()).await;
    done(&daemon, &["param", "set", "testfs.llite.max_read_ahead_mb=92"]);
    let (_, export) = exported(&daemon);
    assert_eq!(behind(&export, third).len(), 3);
    assert_eq!(reads_up_to(&mut events, export.last_index()).await, 3);
    let tree = client.config(CLIENT).await.unwrap();
    assert!(tree.params.values().any(|value| value == "92"), "{:?}", tree.params);
    client.umount(CLIENT).await.unwrap();
    assert_eq!(daemon.stop().await.unwrap(), [""; 0]);
}
