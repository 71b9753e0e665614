//! Sessions B, C and E: the peers of the capture play up to the first command, then the recorded lines are typed.

use std::path::Path;
use std::time::Duration;

use scenarios::daemon::Daemon;
use scenarios::gap::{Gap, Gaps};
use scenarios::mask::Mask;
use scenarios::replay::{Options, Replay};
use scenarios::state::States;
use scenarios::timeline::{MGS, Timeline};

use super::recorded::{self, normal};
use super::shell::Shell;

/// Where mgsd says something else than the kernel, and why.
struct Differs {
    stage: &'static str,
    kernel: &'static str,
    ours: &'static str,
    why: &'static str,
}

/// A line with commands of others: the part of lctl begins and ends so, in the line and in what was printed. An empty
/// word: with the line.
struct Cut {
    stage: &'static str,
    line: [&'static str; 2],
    printed: [&'static str; 2],
}

/// The part from one word up to another.
fn part(text: &mut String, [from, to]: [&str; 2]) {
    let from = text.find(from).unwrap();
    *text = text.split_off(from);
    if !to.is_empty() {
        text.truncate(text.find(to).unwrap());
    }
}

/// A line that is not typed here, and why not.
pub(crate) type LeftOut = (&'static str, &'static str);

/// The reason that `peers.rs` types it.
pub(crate) const WITH_PEERS: &str = "peers.rs types it while the peers play on";

/// How mgsd gets where the kernel MGS was when the first line was typed.
enum Start {
    /// The peers of the capture play up to this second.
    Peers(u64),
    /// The recorded disk of this stage is imported.
    Import(&'static str),
}

/// The files of a recorded stage as a directory.
pub(crate) fn disk(session: &str, stage: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, file) in capture::states::session(session) {
        let Some(path) = path.strip_prefix(&format!("{stage}/")).filter(|p| p.contains('/')) else {
            continue;
        };
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    dir
}

pub(crate) fn here_command(socket: &Path, args: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mgsctl"));
    let out = command.args(args).env("MGSD_API", format!("unix:{}", socket.display())).output().unwrap();
    assert!(out.status.success(), "{args:?}: {out:?}");
    String::from_utf8(out.stdout).unwrap()
}

struct Session {
    name: &'static str,
    ir_timeout: Duration,
    start: Start,
    without: &'static [&'static str],
    /// Stages that were typed on a node without an MGS.
    elsewhere: &'static [&'static str],
    cut: &'static [Cut],
    left_out: &'static [LeftOut],
    differs: &'static [Differs],
    /// Behind which line which recorded state is compared, and which differences of logs are expected, by the
    /// beginning of their place.
    states: &'static [(&'static str, &'static str, &'static [&'static str])],
}

async fn play(session: Session) {
    let Session { name, .. } = session;
    let vectors = capture::vectors_dir();
    let states = States::load(&vectors.join(format!("states/{name}.tar.gz"))).unwrap();
    let daemon = Daemon::start(wire::Nid::tcp(MGS.into(), 0), session.ir_timeout).await.unwrap();
    let mut mask = Mask::load(&vectors.join("MASK.toml")).unwrap();
    let mut gaps = Gaps::new(GAPS);
    let peers = match session.start {
        Start::Peers(until) => {
            let timeline =
                Timeline::load(&vectors.join(format!("captures/{name}/{name}-session.pcap.gz"))).unwrap();
            let options = Options { gaps: GAPS, ..Options::default() };
            let rules = Mask::load(&vectors.join("MASK.toml")).unwrap();
            let mut peers = Replay::new(timeline, daemon.lnet, rules, options);
            peers.stage(name, Duration::from_secs(until)).await.unwrap();
            assert!(!peers.halted(), "the peers of session {name} hang");
            Some(peers)
        }
        Start::Import(stage) => {
            let disk = disk(name, stage);
            let shown = here_command(&daemon.socket(), &["import", "--from", disk.path().to_str().unwrap()]);
            assert!(shown.contains("done, seq"), "{shown}");
            None
        }
    };
    let here = Shell::new(&daemon.socket());
    let nowhere = Shell::new(Path::new("/nonexistent/api.sock"));
    let mut wrong = Vec::new();
    for mut typed in recorded::session(name) {
        for cut in session.cut.iter().filter(|cut| cut.stage == typed.stage) {
            part(&mut typed.line, cut.line);
            part(&mut typed.printed, cut.printed);
        }
        let shell = if session.elsewhere.contains(&typed.stage.as_str()) { &nowhere } else { &here };
        if session.left_out.iter().any(|(stage, _)| *stage == typed.stage) {
            continue;
        }
        let line = typed.line.clone();
        let (printed, code) = tokio::task::block_in_place(|| shell.types(&line));
        let mut want = normal(&typed.printed);
        for Differs { kernel, ours, .. } in session.differs.iter().filter(|d| d.stage == typed.stage) {
            assert!(want.contains(kernel), "{}: the kernel has not said {kernel:?} in\n{want}", typed.stage);
            want = want.replacen(kernel, ours, 1);
        }
        let got = normal(&printed);
        if want.trim() != got.trim() {
            wrong.push(format!("{}\n$ {}\n-- kernel\n{want}\n-- mgsd\n{got}", typed.stage, typed.line));
        }
        if code != typed.code {
            wrong.push(format!("{}: exit code {code}, the kernel's {}", typed.stage, typed.code));
        }
        for (_, state, expected) in session.states.iter().filter(|(stage, ..)| *stage == typed.stage) {
            let found = states
                .compare_logs(state, &daemon.api, (true, session.without), (&mut mask, &mut gaps))
                .await
                .unwrap();
            let unexpected = found.iter().filter(|d| !expected.iter().any(|e| d.place.starts_with(e)));
            wrong.extend(unexpected.map(|d| format!("behind {}: {d}", typed.stage)));
            for e in expected.iter().filter(|e| !found.iter().any(|d| d.place.starts_with(**e))) {
                wrong.push(format!("behind {}: {state} does not differ in {e} any more", typed.stage));
            }
        }
    }
    for d in session.differs {
        assert!(!d.why.is_empty());
    }
    if let Some(peers) = peers {
        peers.finish().await.unwrap();
    }
    assert_eq!(daemon.stop().await.unwrap(), [""; 0], "mgsd check");
    assert!(wrong.is_empty(), "session {name}: {} differences\n{}", wrong.len(), wrong.join("\n\n"));
}

const GAPS: &[Gap] = &[Gap::CallbackStatus];

/// `item N`: docs/weaknesses.md.
const B: &[Differs] = &[
    Differs {
        stage: "B01f-conf_param-obdfilter",
        kernel: "rc=0\nrc=0",
        ours: "error: conf_param: Invalid argument\nrc=22\nrc=0",
        why: "item 5: nothing would be written",
    },
    Differs {
        stage: "B01i-conf_param-delete",
        kernel: "error: conf_param: Invalid argument\nrc=22",
        ours: "rc=0",
        why: "item 7: a numeric sys.* is deleted",
    },
    Differs {
        stage: "B01j-conf_param-errors",
        kernel: "rc=22\nrc=0\nrc=0\n",
        ours: "rc=22\nerror: conf_param: Invalid argument\nrc=22\nerror: conf_param: Invalid argument\nrc=22\n",
        why: "items 41 and 5: a target that does not exist would end every mount, foo.bar is of no class",
    },
    Differs {
        stage: "B02e-set_param-P-from-client",
        kernel: "Reader error: 'No devices found' at 0\n",
        ours: NO_DAEMON,
        why: "says where mgsd was looked for",
    },
    Differs {
        stage: "B02e-set_param-P-from-client",
        kernel: "Reader error: 'No devices found' at 0\n",
        ours: NO_DAEMON,
        why: "the same",
    },
    Differs {
        stage: "B02f-set_param-P-from-srv",
        kernel: "Reader error: 'No devices found' at 0\n",
        ours: NO_DAEMON,
        why: "the same",
    },
    Differs {
        stage: "B02g-set_param-P-bogus",
        kernel: "rc=0\n",
        ours: "error: executing set_param: Invalid argument\nrc=22\n",
        why: "item 4: a name that nobody knows is refused, unless 'mgsctl param policy warn' was said",
    },
    Differs {
        stage: "B03d-pool-errors",
        kernel: "5-10s).\n\nrc=0\nWarning",
        ours: "5-10s).\n\npool_destroy: pool testfs.pool1 not empty, please remove all members\nrc=39\nWarning",
        why: "item 29: OST0000 is a member",
    },
    Differs {
        stage: "B03d-pool-errors",
        kernel: "5-10s).\n\nrc=0\nWarning",
        ours: "5-10s).\n\npool_new: pool testfs.pool1 already exists\nrc=17\nWarning",
        why: "so the pool is still there",
    },
    Differs {
        stage: "B03d-pool-errors",
        kernel: "5-10s).\n\nrc=0\nWarning",
        ours: "5-10s).\n\npool_add: testfs-OST0000_UUID is already in pool testfs.pool1\nrc=17\nWarning",
        why: "and has its member",
    },
    Differs {
        stage: "B05f-nodemap-activate",
        kernel: ",\n { nid: 0@lo, uuid: 926d980b-45d8-405c-8725-79b93d9fdba0, dev: MGS }",
        ours: "",
        why: "a kernel MGS has an MGC of its own",
    },
    Differs {
        stage: "B04-ir-state",
        kernel: "gen: 53",
        ours: "gen: 48",
        why: "steps of what was refused above",
    },
];

pub(crate) const LEFT_OUT_B: &[LeftOut] = &[
    (
        "B00-mount",
        "the node is prepared, as in C00-mount; 'dl' has devices of a kernel: the OSD, its own MGC",
    ),
    ("B04b-check", WITH_PEERS),
    ("B04c-check", WITH_PEERS),
    ("B07a-lqa", LQA),
    ("B07b-lqa-del", LQA),
    ("B08a-barrier-freeze", WITH_PEERS),
    ("B08b-barrier-thaw", WITH_PEERS),
    ("B09-dbg", WITH_PEERS),
    ("B10b-check", WITH_PEERS),
    ("B11-check", WITH_PEERS),
];

const LQA: &str = "lqa_* speak to the quota master on MDT0000, and end with 'No such device' on an MGS";

const NO_DAEMON: &str = "daemon at unix:/nonexistent/api.sock: no such socket; is mgsd running there? (another address: --api or \
    MGSD_API)\n";

#[tokio::test(flavor = "multi_thread")]
async fn b_parameters_and_pools() {
    let session = Session {
        name: "B",
        ir_timeout: Duration::ZERO,
        start: Start::Peers(1_795_231_165),
        without: &[],
        elsewhere: &["B02e-set_param-P-from-client", "B02f-set_param-P-from-srv"],
        cut: &[],
        left_out: LEFT_OUT_B,
        differs: B,
        states: &[("B01h-conf_param-modify", "B01h-conf_params", &[])],
    };
    play(session).await;
}

const E: &[Differs] = &[
    Differs { stage: "E04-sptlrpc", kernel: REFUSED3, ours: "rc=0\nrc=0\nrc=0", why: NO_GSS },
    Differs { stage: "E06-sptlrpc-delete", kernel: REFUSED3, ours: "rc=0\nrc=0\nrc=0", why: NO_GSS },
    Differs {
        stage: "E07-set_param-F",
        kernel: "max_dirty_mb=24\nset_param: osc.*.max_pages_per_rpc=256\nrc=0",
        ours: "max_dirty_mb=24\nerror: executing set_param: Invalid argument\nerror: failed to apply parameter rc = -22, tyring next one\n\
               set_param: osc.*.max_pages_per_rpc=256\nrc=22",
        why: "item 4: lctl makes osc.testfs-OST0000-osc.max_dirty_mb of the record, and no node has a device of this name",
    },
    Differs {
        stage: "E10-mgs-readonly-ops",
        kernel: "error: read_param: '/sys/fs/lustre/mgs/MGS/fstype': No such device\nmgs.MGS.at_history\nmgs.MGS.at_max\nmgs.MGS.at_min\n\
                 mgs.MGS.at_unhealthy_factor\n",
        ours: "",
        why: "a kernel's time-outs and disk",
    },
    Differs {
        stage: "E10-mgs-readonly-ops",
        kernel: "mgs.MGS.ldlm_enqueue_min\n",
        ours: "",
        why: "a kernel's time-outs",
    },
    Differs {
        stage: "E10-mgs-readonly-ops",
        kernel: "mgs.MGS.hash_stats\n",
        ours: "",
        why: "a kernel's hash tables",
    },
    Differs {
        stage: "E10-mgs-readonly-ops",
        kernel: "error: read_param: '/sys/fs/lustre/mgs/MGS/mntdev': No such device\nmgs.MGS.evict_client=10.77.0.4@tcp\nrc=0",
        ours: "error: set_param: setting /sys/fs/lustre/mgs/MGS/evict_client=10.77.0.4@tcp: No such file or directory\n\
               error: set_param: setting 'mgs/MGS/evict_client'='10.77.0.4@tcp': No such file or directory\nrc=2",
        why: "nobody of this NID is connected: a kernel says so on its console only",
    },
];

pub(crate) const LEFT_OUT_E: &[LeftOut] =
    &[("E00-mount", "the node is prepared: debug masks of a kernel"), ("E09-lqa-mgs", LQA)];

const REFUSED3: &str = "error: conf_param: Invalid argument\nrc=22\nerror: conf_param: Invalid argument\nrc=22\n\
    error: conf_param: Invalid argument\nrc=22";
const NO_GSS: &str =
    "the recorded kernel was built without GSS and refuses every rule; mgsd stores those that need none";

#[tokio::test(flavor = "multi_thread")]
async fn e_security_rules_files_and_settings_of_the_mgs() {
    let session = Session {
        name: "E",
        ir_timeout: Duration::from_secs(400),
        start: Start::Import("E03c-moved-target"),
        without: &[],
        elsewhere: &[],
        // What follows is written without lctl: settings.rs has it.
        cut: &[Cut {
            stage: "E10-mgs-readonly-ops",
            line: ["", "; cat /sys"],
            printed: ["", "fsname: testfs"],
        }],
        left_out: LEFT_OUT_E,
        differs: E,
        states: &[
            ("E04-sptlrpc", "E04-sptlrpc", &["CONFIGS/testfs-sptlrpc"]),
            ("E06-sptlrpc-delete", "E06-sptlrpc-deleted", &["CONFIGS/testfs-sptlrpc"]),
            ("E07-set_param-F", "E07-set_param-F", &["CONFIGS/testfs-sptlrpc", "CONFIGS/params"]),
            ("E08-set_param-P-mdt", "E08-set_param-P-many", &["CONFIGS/testfs-sptlrpc", "CONFIGS/params"]),
        ],
    };
    play(session).await;
}

pub(crate) const LEFT_OUT_C: &[LeftOut] = &[("C06c-check", WITH_PEERS)];

const C: &[Differs] = &[
    Differs {
        stage: "C00-mount",
        kernel: "error: set_param: setting /sys/fs/lustre/mgs/MGS/ir_timeout=30: wrote only 0\n\
                 error: set_param: setting 'mgs/MGS/ir_timeout'='30': Invalid argument",
        ours: "mgs.MGS.ir_timeout=30",
        why: "item 44: a kernel takes it, and says that it does not",
    },
    Differs {
        stage: "C07b-replace_nids-mdt",
        kernel: "rc=0\nrc=0\n",
        ours: "rc=0\nerror: replace_nids: No such file or directory\nrc=2\n",
        why: "item 19: OST0099 is not registered",
    },
    Differs {
        stage: "C10b-lcfg_erase",
        kernel: "params: OBD_IOC_LLOG_PRINT failed: No such file or directory\nlcfg_erase: failed params log iteration: No such file or \
                 directory\nrc=2",
        ours: "lcfg_erase: erased 0 parameter matching fsname 'forkfs'\nrc=0",
        why: "item 42: it is erased, and no error",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn c_surgery() {
    let session = Session {
        name: "C",
        ir_timeout: Duration::ZERO,
        start: Start::Import("C06c-writeconf-all"),
        without: &[],
        elsewhere: &[],
        // The node is prepared, and debug masks are set: of a kernel.
        cut: &[Cut {
            stage: "C00-mount",
            line: ["lctl set_param mgs", "; lctl set_param debug"],
            printed: ["", "debug="],
        }],
        left_out: LEFT_OUT_C,
        differs: C,
        states: &[
            ("C09a-del_ost", "C09a-before-del_ost", &[]),
            ("C09b-del_ost", "C09b-del_ost", &[]),
            ("C08-llog_cancel", "C08-llog_cancel", &[]),
        ],
    };
    play(session).await;
}
