//! Every command in every format, as people would see it. `MGSD_BLESS=1 cargo test -p mgsctl` writes the files.

use super::*;

/// Runs the commands and compares what they print with `tests/snapshots/<name>.txt`.
fn transcript(name: &str, commands: &[&str]) {
    let daemon = Daemon::start(Fake::default());
    let mut fresh = String::new();
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let Output { status, stdout, stderr } = daemon.run(&args);
        fresh.push_str(&format!("$ mgsctl {command}\n{}{}", text(&stdout), text(&stderr)));
        fresh.push_str(&format!("[exit {}]\n\n", status.code().unwrap()));
    }
    let path = format!("{}/tests/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("MGSD_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == fresh, "{path} differs (MGSD_BLESS=1 rewrites it); now it is\n{fresh}");
}

#[test]
fn status() {
    transcript("status", &["status", "status --output json", "status --output yaml"]);
}

#[test]
fn fs() {
    transcript(
        "fs",
        &[
            "fs list",
            "fs list --output json",
            "fs list --output yaml",
            "fs show testfs",
            "fs show testfs --output json",
            "fs show testfs --output yaml",
            "fs show tesfs",
            "fs recovery testfs off",
            "fs recovery testfs on --dry-run --output yaml",
            "fs policy testfs approve",
            "fs approve-writeconf testfs",
            "fs writeconf testfs ask",
        ],
    );
}

#[test]
fn nodemap() {
    transcript(
        "nodemap",
        &[
            "nodemap list",
            "nodemap list --output json",
            "nodemap show nm1",
            "nodemap show nm1 ranges",
            "nodemap show nm1 nosuch",
            "nodemap show nm1 --output yaml",
            "nodemap show nm3",
            "nodemap test 10.77.0.4@tcp",
            "nodemap test 10.77.0.4@tcp --kind gid --id 500",
            "nodemap add nm3 --dry-run",
            "nodemap set nm1 admin=1 squash_uid=99",
            "nodemap add-range nm1 10.77.0.[4-6]@tcp",
            "nodemap fileset-del nm1",
        ],
    );
}

#[test]
fn sptlrpc() {
    transcript(
        "sptlrpc",
        &[
            "sptlrpc list",
            "sptlrpc list --fs testfs --output json",
            "sptlrpc list --fs tesfs",
            "sptlrpc set testfs default.cli2mdt krb5p --dry-run",
            "sptlrpc unset testfs default",
        ],
    );
}

#[test]
fn target() {
    transcript(
        "target",
        &[
            "target list",
            "target list --fs testfs",
            "target list --fs scratch --output json",
            "target list --fs scratch --output yaml",
            "target show testfs-OST000a",
            "target show testfs-OST000a --output json",
            "target show testfs-OST000a --output yaml",
            "target list --fs tesfs",
            "target show testfs-OST0000",
            "target reserve --fs newfs --type ost --count 4 --expires 7d --by rack7 --nid 10.77.0.9@tcp --dry-run --output json",
            "target reserve --fs newfs --type ost",
            "target reserve --fs newfs --type ost --nid host1",
            "target reserved",
            "target reserved --fs testfs --output yaml",
            "target unreserve testfs-OST0000",
            "target format-line --fs testfs --type ost --index 10",
            "target format-line --fs testfs --type mdt --index 1 --servicenode 10.77.0.3@tcp,10.78.0.3@tcp1 --servicenode 10.77.0.5@tcp --device /dev/sdb",
            "target format-line --fs toolongfs --type ost --index 1",
        ],
    );
}

#[test]
fn registration() {
    transcript(
        "registration",
        &[
            "registration list",
            "registration list --output json",
            "registration list --output yaml",
            "registration approve testfs-OST0004 --from 10.77.0.6@tcp",
            "registration approve testfs-OST0004 --from host1",
            "registration refuse testfs-OST0004 --dry-run --output json",
            "registration forget testfs-OST0004 --output json",
            "registration rules",
            "registration rules --output yaml",
            "registration default approve --output json",
            "registration bind tcp enforce --allow 10.77.0.2@tcp=10.78.0.2@tcp --router 10.77.0.254@tcp --reset --output json",
        ],
    );
}

#[test]
fn client() {
    transcript(
        "client",
        &[
            "client list",
            "client list --behind",
            "client list --output json",
            "client list --output yaml",
            "client record 10.9.9.9@tcp",
            "why testfs-OST0000",
            "why testfs-OST0000 --output json",
            "why nobody",
        ],
    );
}

#[test]
fn log() {
    transcript(
        "log",
        &[
            "log list",
            "log list --fs scratch",
            "log list --fs testfs --output json",
            "log list --fs testfs --output yaml",
            "log print testfs-client --start 1 --end 7",
            "log print testfs-client --raw --end 3",
            "log print testfs-client --format reader --start 54",
            "log print testfs-client --end 1 --output json",
            "log print testfs-client --start 50 --end 51 --output yaml",
            "log print params",
            "log print nosuch",
            "log print damaged",
            "log print unready",
            "log export nosuch",
        ],
    );
}

#[test]
fn edits() {
    transcript(
        "edits",
        &[
            "log readers testfs-client",
            "log readers testfs-client --output json",
            "log readers nosuch",
            "log cancel testfs-client 44 --output json",
            "log compact testfs --dry-run",
            "log renew testfs-client --dry-run",
            "log retire testfs-client --force",
            "log clear testfs-OST000a",
            "log remove testfs-client.1795232206.bak",
            "target replace-nids testfs-OST000a 10.77.0.5@tcp,10.78.0.5@tcp1:10.77.0.6@tcp --dry-run --output json",
            "target replace-nids testfs-OST000a 10.77.0.5@tcp --rewrite --output yaml",
            "target remove testfs-OST000a --output json",
            "fs fork testfs snap0001 --output json",
            "fs rename testfs newfs",
            "fs erase scratch --dry-run",
        ],
    );
}

#[test]
fn barrier() {
    transcript(
        "barrier",
        &[
            "barrier stat testfs",
            "barrier stat testfs --output json",
            "barrier stat tesfs",
            "barrier freeze testfs --output json",
            "barrier freeze testfs --timeout 0",
            "barrier thaw testfs --dry-run",
            "barrier rescan testfs --output yaml",
        ],
    );
}

#[test]
fn connections() {
    transcript(
        "connections",
        &[
            "client evict 10.77.0.4@tcp --output json",
            "client deny 10.77.0.66@tcp 10.77.0.67@tcp --output json",
            "client allow 10.77.0.66@tcp --dry-run",
            "client denied",
            "client denied --output yaml",
            "client close --output json",
            "client open --output json",
        ],
    );
}

/// YAML says what JSON says, also for texts that nodes made up.
#[test]
fn yaml_equals_json() {
    let daemon = Daemon::start(Fake::default());
    for command in ["status", "fs list", "target list", "client list", "log list", "log print testfs-client"]
    {
        let print = |format| {
            let args: Vec<&str> = command.split(' ').chain(["--output", format]).collect();
            daemon.stdout(&args)
        };
        let json: serde_json::Value = serde_json::from_str(&print("json")).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&print("yaml")).unwrap();
        assert_eq!(json, yaml, "{command}");
    }
}

/// The JSON of a command is the document of the API.
#[test]
fn json_is_the_document_of_the_api() {
    let daemon = Daemon::start(Fake::default());
    let status: mgs_api::Status =
        serde_json::from_str(&daemon.stdout(&["status", "--output", "json"])).unwrap();
    assert_eq!(status, fake::status());
    let list: mgs_api::List<mgs_api::ClientExport> =
        serde_json::from_str(&daemon.stdout(&["client", "list", "--output", "json"])).unwrap();
    assert_eq!(list, daemon.runtime.block_on(Fake::default().clients()).unwrap());
}

#[test]
fn setting() {
    transcript(
        "setting",
        &[
            "param list",
            "param list --fs testfs --output json",
            "param list --fs tesfs",
            "param set testfs-OST000a.osc.max_dirty_mb=64",
            "param set osc.*.max_dirty_mb=64 --syntax set_param --dry-run",
            "param unset osc.*.max_dirty_mb --output yaml",
            "param get testfs-OST000a osc.max_dirty_mb",
            "param get testfs-OST000a osc.max_dirty_mb --output json",
            "param get testfs-OST0000 osc.max_dirty_mb",
            "param history testfs-OST000a.osc.max_dirty_mb",
            "param history testfs-OST000a.osc.max_dirty_mb --output yaml",
            "param status",
            "param status 40 --output json",
            "param programs",
            "param allow /opt/site/identity --dry-run",
            "param policy",
            "param policy warn --dry-run",
            "param import ../vectors/tunables/llog_print.txt",
        ],
    );
}

#[test]
fn pool() {
    transcript(
        "pool",
        &[
            "pool list",
            "pool list --fs testfs --output json",
            "pool new testfs.flash",
            "pool add testfs.flash OST[0-3] testfs-OST000a",
            "pool remove testfs.flash OST0000 --dry-run",
            "pool destroy testfs.flash --output json",
        ],
    );
}

#[test]
fn audit() {
    transcript("audit", &["audit list", "audit list --after 41 --limit 1 --output json", "audit verify"]);
}
