//! Parameters through the API of a daemon with nodes that run: judged, read back, followed to the nodes, kept by a
//! restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod daemon;

use daemon::{command, free_port, serve};
use lustre_peer::host::{HostConfig, PeerHost};
use mgs_api::{
    Client, Error, NodemapEdit, NodemapEdits, ParamAssignment, ParamPolicy, ParamSyntax, Validation,
    Writeconf,
};
use std::net::SocketAddr;
use std::path::Path;
use tokio::process::Child;

const GOOD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/examples-good.txt"));
const BAD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/tunables/examples-bad.txt"));

async fn start(data: &Path, port: u16) -> (Child, Client) {
    let mut command = command(data);
    let (child, _) = serve(command.args(["--nid", "127.0.0.1@tcp", "--port", &port.to_string()])).await;
    (child, Client::connect(&format!("unix:{}", data.join("api.sock").display())).await.unwrap())
}

async fn node(nid: &str, port: u16) -> PeerHost {
    let mgs = SocketAddr::from(([127, 0, 0, 1], port));
    let config = HostConfig::new(nid.parse().unwrap(), vec!["127.0.0.1@tcp".parse().unwrap()]);
    PeerHost::start(config.with_mgs_addr(mgs)).await.unwrap()
}

fn lines(list: &'static str) -> Vec<(ParamSyntax, &'static str, &'static str)> {
    let columns = list.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect::<Vec<_>>());
    columns
        .filter_map(|c| match c[0] {
            "conf_param" => Some((ParamSyntax::ConfParam, c[1], c[2])),
            "set_param-P" => Some((ParamSyntax::SetParam, c[1], c[2])),
            _ => None,
        })
        .collect()
}

fn assign(text: &str, syntax: Option<ParamSyntax>) -> ParamAssignment {
    ParamAssignment { assignment: text.to_owned(), syntax, force: false, wait: false }
}

/// Twenty settings of different classes: target, name, assignment.
const TWENTY: [(&str, &str, &str); 20] = [
    ("testfs", "sys.timeout", "testfs.sys.timeout=77"),
    ("testfs", "sys.at_max", "testfs.sys.at_max=300"),
    ("testfs", "sys.jobid_var", "testfs.sys.jobid_var=procname_uid"),
    ("testfs", "llite.max_read_ahead_mb", "testfs.llite.max_read_ahead_mb=32"),
    ("testfs", "llite.fast_read", "testfs.llite.fast_read=0"),
    ("testfs", "quota.ost", "testfs.quota.ost=ug"),
    ("testfs", "quota.mdt", "testfs.quota.mdt=u"),
    ("testfs", "mdt.identity_upcall", "testfs.mdt.identity_upcall=NONE"),
    ("testfs-MDT0000", "mdt.identity_expire", "testfs-MDT0000.mdt.identity_expire=600"),
    ("testfs-MDT0000", "mdd.atime_diff", "testfs-MDT0000.mdd.atime_diff=30"),
    ("testfs-MDT0000", "mdc.max_rpcs_in_flight", "testfs-MDT0000.mdc.max_rpcs_in_flight=9"),
    ("testfs-MDT0000", "lov.stripesize", "testfs-MDT0000.lov.stripesize=2M"),
    ("testfs-OST0000", "osc.max_dirty_mb", "testfs-OST0000.osc.max_dirty_mb=64"),
    ("testfs-OST0000", "osc.checksum_type", "testfs-OST0000.osc.checksum_type=crc32c"),
    ("testfs-OST0001", "osc.active", "testfs-OST0001.osc.active=0"),
    ("testfs-OST0000", "ost.brw_size", "testfs-OST0000.ost.brw_size=8"),
    ("testfs-OST0000", "osc.*.max_rpcs_in_flight", "osc.*.max_rpcs_in_flight=16"),
    ("testfs-OST0000", "ost.OSS.ost_io.threads_max", "ost.OSS.ost_io.threads_max=64"),
    ("testfs", "llite.*.max_cached_mb", "llite.*.max_cached_mb=128M"),
    ("testfs", "debug", "debug=+rpctrace"),
];

/// Class and words of what was refused to this user, as `mgsctl audit list` has it.
async fn refusals(api: &Client) -> Vec<(String, String)> {
    let commits = api.commits(0, 1000).await.unwrap().items;
    let events = commits.iter().flat_map(|commit| &commit.events);
    let word = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    events
        .filter(|e| e["event"] == "refused" && word(e, "actor").starts_with("uid:"))
        .map(|e| (word(e, "class"), word(e, "request")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judged_read_back_followed_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let (mut daemon, api) = start(dir.path(), port).await;
    let server = node("10.9.0.3@tcp", port).await;
    for index in 0..2 {
        server.mount_mdt("testfs", index).await.unwrap();
    }
    for index in 0..2 {
        server.mount_ost("testfs", index).await.unwrap();
    }
    let client = node("10.9.0.4@tcp", port).await;
    client.mount_client("testfs").await.unwrap();
    let edits = ["c0", "nm"].map(|name| NodemapEdit::Add { nodemap: name.to_owned() });
    api.nodemap_edit(&NodemapEdits { edits: edits.to_vec() }, false).await.unwrap();

    for (syntax, text, _) in lines(GOOD) {
        let done = api.param_set(&assign(text, Some(syntax)), true).await;
        assert!(done.is_ok(), "{text}: {done:?}");
    }
    for (syntax, text, class) in lines(BAD) {
        match api.param_set(&assign(text, Some(syntax)), false).await {
            Err(Error::Refused(problem)) => {
                assert!(problem.detail.contains(&format!("({class})")), "{text}: {problem:?}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    // What no policy lets pass is in the audit.
    let audited = refusals(&api).await;
    assert!(audited.iter().any(|(class, text)| class == "bad-device" && text.contains("OST")), "{audited:?}");
    assert!(audited.len() > 10, "{audited:?}");

    let mut seqs = Vec::new();
    for (_, _, text) in TWENTY {
        seqs.push(api.param_set(&assign(text, None), false).await.unwrap().seq.expect(text));
    }
    // Every reader fetches past the last of each kind.
    for seq in [seqs[15], seqs[19]] {
        loop {
            let reach = api.param_status(Some(seq)).await.unwrap();
            assert_eq!(reach.seq, seq);
            let nodes: Vec<_> = reach.logs.iter().flat_map(|l| &l.nodes).collect();
            if !nodes.is_empty() && nodes.iter().all(|n| n.past) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Fetched is not done yet: the node says when it is.
    loop {
        let tree = client.config("testfs-client").await.unwrap();
        let seen = |device: &str, name: &str| tree.params.get(&(device.to_owned(), name.to_owned())).cloned();
        if seen("testfs-OST0000-osc", "osc.max_dirty_mb").as_deref() == Some("64")
            && seen("testfs-client", "llite.max_read_ahead_mb").as_deref() == Some("32")
        {
            break;
        }
        tokio::task::yield_now().await;
    }

    read_back(&api, &seqs).await;
    daemon.kill().await.unwrap();
    let (_daemon, api) = start(dir.path(), port).await;
    read_back(&api, &seqs).await;
    assert_eq!(refusals(&api).await, audited, "after a kill");
    assert_eq!(api.commit_chain().await.unwrap().broken_at, None);

    for (_, _, text) in TWENTY {
        let name = text.split('=').next().unwrap();
        assert!(api.param_unset(&assign(name, None), false).await.unwrap().seq.is_some(), "{text}");
        let history = api.param_history(name).await.unwrap().items;
        let last = history.last().unwrap();
        assert_eq!(
            (history.len(), &last.value, last.by.starts_with("uid:")),
            (2, &None, true),
            "{history:?}"
        );
    }
    for (target, name, _) in TWENTY {
        let found = api.param_effective(target, name).await.unwrap();
        assert!(found.readers.iter().flat_map(|r| &r.in_force).all(|t| t.unset), "{found:?}");
    }
    let left = api.params(None).await.unwrap().items;
    assert!(left.iter().all(|p| p.assigned.as_ref().is_some_and(|a| a.unset)), "{left:?}");

    assert_eq!(api.param_policy().await.unwrap().validation, Validation::Enforce);
    api.set_param_policy(&ParamPolicy { validation: Validation::Warn }, false).await.unwrap();
    assert!(
        api.param_set(&assign("testfs.llite.some_wrong_param=10", None), false).await.unwrap().seq.is_some()
    );
    api.fs_writeconf("testfs", Writeconf::Ask, false).await.unwrap();
    assert_eq!(api.fs("testfs").await.unwrap().writeconf, Writeconf::Ask);
}

async fn read_back(api: &Client, seqs: &[u64]) {
    for ((target, name, text), seq) in TWENTY.into_iter().zip(seqs) {
        let (assigned, value) = text.split_once('=').unwrap();
        let found = api.param_effective(target, name).await.unwrap();
        let told = found.readers.iter().flat_map(|r| &r.in_force).find(|t| t.name == assigned);
        let told = told.unwrap_or_else(|| panic!("{text}: {found:?}"));
        assert_eq!((told.value.as_str(), told.seq), (value, *seq), "{text}");
        assert!(told.by.as_ref().is_some_and(|by| by.starts_with("uid:")), "{told:?}");
        assert!(found.registered && !found.readers.is_empty());
    }
}

/// Nobody keeps a setting for failover nodes: who added them is in the chain of commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failover_nodes_are_shown_with_who_added_them() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let (_daemon, api) = start(dir.path(), port).await;
    let server = node("10.9.0.3@tcp", port).await;
    server.mount_mdt("testfs", 0).await.unwrap();
    server.mount_ost("testfs", 0).await.unwrap();
    let path = "obdfilter.testfs-OST0000.failover.node=10.9.0.5@tcp";
    let seq = api.param_set(&assign(path, Some(ParamSyntax::SetParam)), false).await.unwrap().seq.unwrap();
    let listed = api.params(Some("testfs")).await.unwrap().items;
    let [found] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (found.device.as_deref(), found.name.as_str(), found.value.as_str(), found.records.len()),
        (Some("testfs-OST0000"), "failover.node", "10.9.0.5@tcp", 2)
    );
    assert!(found.spellings.iter().any(|s| s == "obdfilter.testfs-OST0000.failover.node"), "{found:?}");
    let assigned = found.assigned.as_ref().unwrap();
    assert!(
        assigned.by.starts_with("uid:") && assigned.seq == seq && assigned.from.is_none(),
        "{assigned:?}"
    );
    let read = api.param_effective("testfs-OST0000", "failover.node").await.unwrap();
    let told: Vec<_> = read.readers.iter().flat_map(|r| &r.in_force).collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|t| t.seq == seq && t.by == Some(assigned.by.clone())), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_catalogue_is_loaded_at_the_start_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tunables/catalogue.toml"));
    let file = dir.path().join("catalogue.toml");
    let text =
        shipped.replace("\"max_cached_mb\"", "\"max_kept_mb\"").replace(".max_cached_mb\"", ".max_kept_mb\"");
    std::fs::write(&file, text).unwrap();
    let port = free_port();
    let named = format!("--catalogue={}", file.display());
    let arguments = ["--nid", "127.0.0.1@tcp", "--port", &port.to_string(), &named];
    let (daemon, _) = serve(command(dir.path()).args(arguments)).await;
    let api = format!("unix:{}", dir.path().join("api.sock").display());
    let api = Client::connect(&api).await.unwrap();
    let server = node("10.9.0.3@tcp", port).await;
    server.mount_mdt("testfs", 0).await.unwrap();
    assert!(api.param_set(&assign("testfs.llite.max_kept_mb=64", None), true).await.is_ok());
    let refused = api.param_set(&assign("testfs.llite.max_cached_mb=64", None), true).await;
    assert!(matches!(refused, Err(Error::Refused(p)) if p.detail.contains("(unknown)")));
    drop(daemon);

    // Half a file, another layout, no file: it does not start, and says why.
    let other = tempfile::tempdir().unwrap();
    let half = other.path().join("half.toml");
    std::fs::write(&half, &shipped[..shipped.len() / 2]).unwrap();
    let layout = other.path().join("layout.toml");
    std::fs::write(&layout, shipped.replacen("schema = 1", "schema = 7", 1)).unwrap();
    for (file, why) in
        [(half, "TOML"), (layout, "schema 7"), (other.path().join("nosuch.toml"), "No such file")]
    {
        let named = format!("--catalogue={}", file.display());
        let data = other.path().join("data");
        let out =
            command(&data).args(["--nid", "127.0.0.1@tcp", "--port", "0", &named]).output().await.unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(said.contains(&file.display().to_string()) && said.contains(why), "{said}");
    }
}
