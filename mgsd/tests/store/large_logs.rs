//! Logs that are larger than anything a cluster takes in one request: each change that writes them anew, or edits them
//! all over, is one commit on etcd.

use super::daemon::Daemon;
use capture::states;
use llog::marker::flag;
use llog::{Log, LustreCfg, Marker, cmd};
use mgs_api::{Change, Mgt, MoveTarget, NewName, ParamAssignment};
use mgs_core::lint;
use mgs_core::model::commit::broken_links;
use mgs_core::model::view::View;
use store_backends::Store;
use store_backends::conformance::cluster::{Cluster, Settings};
use store_backends::large::Large;

/// What etcd takes in one request, with its default settings.
const OF_ETCD: u64 = 1_572_864;
const CLIENT: &str = "testfs-client";

struct Site {
    cluster: Cluster,
    daemon: Daemon,
}

impl Site {
    async fn start() -> Self {
        let cluster = Cluster::start(1, &Settings::default());
        let config = format!("check_interval = 1\nstore = \"{}\"\n", cluster.url("site"));
        Self { daemon: Daemon::with(&config).await, cluster }
    }

    /// What lies in the cluster: sound, what the daemon serves, and by one commit more than before.
    async fn check(&self, change: &Change, large: bool) -> View {
        let below = self.cluster.open(&self.cluster.url("site")).await;
        let last = below.range("staged/last").await.unwrap().entries;
        assert!(below.range("staged/now").await.unwrap().entries.is_empty(), "it is in place");
        let all = Large::new(below).range("").await.unwrap();
        let seq = change.seq.expect("something was done");
        assert_eq!(all.seq, seq, "one commit");
        if large {
            let last: Vec<_> = last.into_iter().map(|e| String::from_utf8(e.value).unwrap()).collect();
            assert_eq!(last, [seq.to_string()], "a large plan");
        }
        let entries = || all.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()));
        let view = View::load(entries()).unwrap();
        assert_eq!(lint::view(&view), Vec::<String>::new());
        assert_eq!(broken_links(entries(), view.anchor()), Vec::<String>::new());
        let api = self.daemon.api().await;
        for (name, log) in &view.logs {
            assert!(
                api.log_file(name).await.unwrap() == log.log.to_file(),
                "{name} is served as it is stored"
            );
        }
        view
    }
}

/// A section of the client log of a recorded state that sets a parameter, and all logs of that state.
fn recorded() -> (Mgt, Vec<LustreCfg>) {
    let files = states::session("B");
    for (path, file) in files.iter().filter(|(path, _)| path.ends_with("/CONFIGS/testfs-client")) {
        let Ok(log) = Log::from_file(file) else { continue };
        let records: Vec<LustreCfg> = log.records().filter_map(|r| r.cfg().ok()).collect();
        let found = records.windows(3).find(|w| w[0].marker().is_some() && w[1].command == cmd::PARAM);
        let (Some(section), Some(stage)) = (found, path.split('/').next()) else { continue };
        let mut mgt = Mgt { from: stage.to_owned(), ..Mgt::default() };
        for (path, file) in
            files.range(format!("{stage}/CONFIGS/testfs-")..format!("{stage}/CONFIGS/testfs."))
        {
            let name = path.rsplit('/').next().unwrap();
            mgt.logs.insert(name.to_owned(), hex(file));
        }
        return (mgt, section.to_vec());
    }
    panic!("no recorded state sets a parameter of clients");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The same, grown: so many times the parameter was set again.
fn grown(times: u32) -> Mgt {
    let (mut mgt, section) = recorded();
    for (name, digits) in &mut mgt.logs {
        if name != CLIENT {
            continue;
        }
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        let mut log = Log::from_file(&bytes).unwrap();
        for step in 0..times {
            for record in &section {
                let record = match record.marker() {
                    Some(m) => {
                        let skip = if step + 1 < times { flag::SKIP } else { 0 };
                        let flags = (m.flags & !flag::SKIP) | skip;
                        LustreCfg::marker_rec(&Marker { step: 100 + step, flags, ..m }).unwrap()
                    }
                    None => record.clone(),
                };
                log.append(&record, 0).unwrap();
            }
        }
        *digits = hex(&log.to_file());
    }
    mgt
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_larger_than_a_request_are_written_anew_in_one_commit() {
    let mut site = Site::start().await;
    let api = site.daemon.api().await;
    let change = api.import(&grown(6_000), false).await.unwrap();
    let view = site.check(&change, true).await;
    let before = view.logs[CLIENT].log.clone();
    assert!(before.end() > 2 * OF_ETCD, "{} bytes", before.end());

    // bits of thousands of records in one segment
    let change = api.log_compact("testfs", false).await.unwrap();
    let view = site.check(&change, true).await;
    let compacted = &view.logs[CLIENT].log;
    assert_eq!((compacted.end(), compacted.last_index()), (before.end(), before.last_index()));
    assert!(before.count() - compacted.count() >= 3 * 5_999, "{}", compacted.count());

    let to = MoveTarget { nids: "10.77.0.9@tcp".to_owned(), rewrite: true };
    let change = api.target_replace_nids("testfs-OST0000", &to, false).await.unwrap();
    let view = site.check(&change, true).await;
    let backups = view.logs.iter().filter(|(name, _)| name.starts_with(CLIENT) && name.ends_with(".bak"));
    assert!(backups.clone().count() == 1 && backups.clone().all(|(_, log)| log.end() == before.end()));

    let copy = NewName { to: "copyfs".to_owned() };
    let change = api.fs_fork("testfs", &copy, false).await.unwrap();
    site.check(&change, false).await;
    let change = api.fs_erase("copyfs", false).await.unwrap();
    let view = site.check(&change, false).await;
    assert!(!view.logs.keys().any(|name| name.starts_with("copyfs")));

    // the next daemon finds all of it
    site.daemon.kill().await;
    site.daemon.start().await;
    let view = site.check(&change, false).await;
    assert_eq!(site.daemon.api().await.status().await.unwrap().seq, view.seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_more_segments_than_a_transaction_takes_are_edited_in_one_commit() {
    const SETS: u32 = 150;
    let site = Site::start().await;
    let api = site.daemon.api().await;
    let server = site.daemon.node(1, 1).await;
    server.host.mount_mdt("testfs", 0).await.unwrap();
    for n in 0..SETS {
        let assignment = ParamAssignment {
            assignment: format!("testfs.sys.timeout={}", 20 + n % 100),
            syntax: None,
            force: false,
            wait: false,
        };
        api.param_set(&assignment, false).await.unwrap();
    }
    let change = api.log_compact("testfs", false).await.unwrap();
    let view = site.check(&change, true).await;
    let log = &view.logs[CLIENT];
    assert!(log.segment_seqs().count() > SETS as usize);
    assert!(log.log.last_index() - log.log.count() >= 3 * (SETS - 1), "{}", log.log.count());

    drop(server);
    // unless it has said goodbye already
    let _ = api.client_evict("10.9.2.1@tcp", false).await;
    let change = api.log_clear("testfs", false).await.unwrap();
    let view = site.check(&change, true).await;
    assert_eq!(view.logs[CLIENT].segment_seqs().count(), 1);
}
