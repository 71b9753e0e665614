//! Lines that only mean something while nodes come and go: the peers of the capture play on, and the line is typed when it
//! was typed.

use std::sync::Arc;
use std::time::Duration;

use scenarios::daemon::Daemon;
use scenarios::gap::Gap;
use scenarios::mask::Mask;
use scenarios::replay::{Options, Replay};
use scenarios::state::States;
use scenarios::timeline::{MGS, Timeline};
use scenarios::transplant;

use super::recorded::{self, Typed, normal};
use super::shell::Shell;

/// A step of a session.
pub(crate) enum Step {
    /// The line of this stage is typed when the peers have played up to it.
    Type(&'static str, &'static [Differs]),
    /// It is typed, and the peers play on up to this second: it waits for them.
    TypeWhile(&'static str, u64, &'static [Differs]),
    /// mgsd starts anew with the logs that the kernel had after this stage, and its own NID table; the peers connect, and
    /// go on at this second.
    Logs(&'static str, u64),
    /// mgsd is away, and back at this second with this `ir_timeout`; `true`: its node had lost its connections.
    Away(u64, u64, bool),
    /// The peers play up to the answer to a registration that only mgsd refuses, and go on at this second.
    Refused(u64),
}

impl Step {
    /// The stage whose line is typed.
    pub(crate) const fn typed(&self) -> Option<&'static str> {
        match self {
            Self::Type(stage, _) | Self::TypeWhile(stage, ..) => Some(stage),
            Self::Logs(..) | Self::Away(..) | Self::Refused(_) => None,
        }
    }
}

use Step::{Away, Logs, Refused, Type, TypeWhile};

/// What the kernel printed, what mgsd prints, and why.
type Differs = (&'static str, &'static str, &'static str);

const GEN: &str = "the logs are the kernel's; the steps of the commands left out were counted by it alone";
const ANEW: &str = "counted since mgsd was started with the kernel's logs, not since the kernel was";
const KEPT: &str = "a READY that says what the stored table has is no news: no version, and nobody is told";
const STEPS: &str = "a kernel forgets with its restart how far it had counted in the log 'params'";

/// Imperative recovery of an OST and of the MDT; the barrier; the MGS unmounted for some seconds, and then without power.
pub(crate) const B: &[Step] = &[
    Logs("B03f-pool-destroyed", 1_795_231_420),
    Type("B04b-check", &[("gen: 53", "gen: 13", GEN), ("notify_count: 4", "notify_count: 1", ANEW)]),
    Type("B04c-check", &[("gen: 53", "gen: 13", GEN), ("notify_count: 5", "notify_count: 2", ANEW)]),
    Logs("B07a-lqa", 1_795_231_548),
    TypeWhile("B08a-barrier-freeze", 1_795_231_552, &[]),
    TypeWhile("B08b-barrier-thaw", 1_795_231_555, &[]),
    Type("B09-dbg", &[]),
    Away(1_795_231_562, 0, false),
    Type(
        "B10b-check",
        &[
            ("gen: 1\n", "gen: 6\n", STEPS),
            ("gen: 52", "gen: 13", GEN),
            ("nidtbl_version: 10", "nidtbl_version: 7", KEPT),
            ("notify_count: 3", "notify_count: 0", KEPT),
        ],
    ),
    Away(1_795_231_633, 400, true),
    Type(
        "B11-check",
        &[
            ("gen: 1\n", "gen: 6\n", STEPS),
            ("gen: 52", "gen: 13", GEN),
            ("nidtbl_version: 13", "nidtbl_version: 7", KEPT),
            ("notify_count: 3", "notify_count: 0", KEPT),
        ],
    ),
];

/// From the first registration to the writeconf of everything.
pub(crate) const C: &[Step] = &[
    Refused(1_795_232_038),
    Type(
        "C06c-check",
        &[
            ("gen: 7\nparams-MDT0000", "gen: 1", "item 43: no file system is called params"),
            (
                "nidtbl_version: 3\n    notify_duration_total: 0\n    notify_duation_max: 0\n    notify_count: 1\nmgs.MGS.live.testfs",
                "nidtbl_version: 2\n    notify_duration_total: 0\n    notify_duation_max: 0\n    notify_count: 0\nmgs.MGS.live.testfs",
                "the same",
            ),
            ("notify_count: 5", "notify_count: 13", "a kernel forgets the count with the logs of MDT0000"),
        ],
    ),
];

/// Parameters that a kernel MGS has for its own sake.
const OF_A_KERNEL: [&str; 13] = [
    "0@lo.export",
    "0@lo.uuid", // its own MGC
    ".fmd_count",
    ".grant_cur",
    ".grant_dirty",
    ".grant_pending",
    ".hash",
    ".ldlm_stats",
    ".nodemap",
    ".reconnect_delay",
    ".reply_data",
    ".stats",
    "ldlm.namespaces.MGS.",
];

/// What is left of the output of `get_param` without them.
fn of_an_mgs(text: &str) -> String {
    let (mut out, mut kept) = (String::new(), true);
    for line in text.lines() {
        if line.starts_with("mgs.") || line.starts_with("ldlm.") {
            let name = line.split('=').next().unwrap();
            let counted =
                ["lock_count", "resource_count"].iter().any(|n| name.ends_with(&format!("MGS.{n}")));
            kept = counted
                || !OF_A_KERNEL
                    .iter()
                    .any(|of| name.ends_with(of) || (of.ends_with('.') && name.starts_with(of)));
        }
        if kept {
            out += &format!("{line}\n");
        }
    }
    out
}

struct Play {
    daemon: Option<Daemon>,
    here: Arc<Shell>,
    replay: Replay,
    states: States,
    lines: Vec<Typed>,
    wrong: Vec<String>,
}

impl Play {
    async fn start(name: &'static str) -> Self {
        let vectors = capture::vectors_dir();
        let states = States::load(&vectors.join(format!("states/{name}.tar.gz"))).unwrap();
        let timeline =
            Timeline::load(&vectors.join(format!("captures/{name}/{name}-session.pcap.gz"))).unwrap();
        // What is on the wire is compared in tests/scenarios; here the peers are there to be seen.
        let gaps = &[Gap::CallbackStatus, Gap::TableKept, Gap::ReservedName];
        let options = Options { gaps, without: &["params"], ..Options::default() };
        let mask = Mask::load(&vectors.join("MASK.toml")).unwrap();
        let daemon = Daemon::start(wire::Nid::tcp(MGS.into(), 0), Duration::ZERO).await.unwrap();
        let replay = Replay::new(timeline, daemon.lnet, mask, options);
        let here = Arc::new(Shell::new(&daemon.socket()));
        Self { daemon: Some(daemon), here, replay, states, lines: recorded::session(name), wrong: Vec::new() }
    }

    async fn up_to(&mut self, until: Duration) {
        self.replay.stage("", until).await.unwrap();
        assert!(!self.replay.halted(), "the peers hang before {until:?}");
    }

    fn line(&self, stage: &str) -> Typed {
        self.lines.iter().find(|typed| typed.stage == stage).unwrap().clone()
    }

    fn compare(&mut self, typed: &Typed, differs: &[Differs], (printed, code): (String, i32)) {
        let mut want = normal(&of_an_mgs(&typed.printed));
        for (kernel, ours, why) in differs {
            assert!(!why.is_empty() && want.contains(kernel), "{}: no {kernel:?} in\n{want}", typed.stage);
            want = want.replacen(kernel, ours, 1);
        }
        let got = normal(&printed);
        if want.trim() != got.trim() || code != typed.code {
            let codes = format!("kernel {}, mgsd {code}", typed.code);
            self.wrong.push(format!("{}: exit {codes}\n-- kernel\n{want}\n-- mgsd\n{got}", typed.stage));
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Type(stage, differs) => {
                let typed = self.line(stage);
                self.up_to(typed.at).await;
                let said = tokio::task::block_in_place(|| self.here.types(&typed.line));
                self.compare(&typed, differs, said);
            }
            TypeWhile(stage, until, differs) => {
                let typed = self.line(stage);
                self.up_to(typed.at).await;
                let (here, line) = (self.here.clone(), typed.line.clone());
                let said = tokio::task::spawn_blocking(move || here.types(&line));
                self.up_to(Duration::from_secs(*until)).await;
                let said = said.await.unwrap();
                self.compare(&typed, differs, said);
            }
            Logs(stage, at) => {
                self.replay.leave().await.unwrap();
                let stopped = self.daemon.take().unwrap().pause().await.unwrap();
                transplant::logs(&stopped.store(), &self.states.logs(stage, &[]).unwrap()).await.unwrap();
                self.daemon = Some(stopped.start().await.unwrap());
                self.replay.join(stage, Duration::from_secs(*at)).await.unwrap();
            }
            Away(back, ir_timeout, lost_power) => {
                self.replay.leave().await.unwrap();
                let stopped = self.daemon.take().unwrap().pause().await.unwrap();
                let stopped = stopped.with_ir_timeout(Duration::from_secs(*ir_timeout));
                self.daemon = Some(stopped.start().await.unwrap());
                self.replay.back(Duration::from_secs(*back), *lost_power).await.unwrap();
            }
            Refused(until) => self.replay.refused("", Duration::from_secs(*until)).await.unwrap(),
        }
    }

    async fn play(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step).await;
        }
        self.replay.finish().await.unwrap();
        assert_eq!(self.daemon.take().unwrap().stop().await.unwrap(), [""; 0], "mgsd check");
        let wrong = self.wrong;
        assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b_recovery_barrier_and_restarts() {
    let mut play = Play::start("B").await;
    play.up_to(Duration::from_secs(1_795_231_165)).await;
    play.play(B).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_everything_written_anew() {
    let mut play = Play::start("C").await;
    play.up_to(Duration::from_secs(1_795_232_029)).await;
    play.play(C).await;
}
