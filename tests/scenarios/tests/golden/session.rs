//! Plays a session stage by stage.
use mgs_api::{ParamPolicy, Validation};
use scenarios::daemon::Daemon;
use scenarios::gap::Gap;
use scenarios::mask::Mask;
use scenarios::replay::{Difference, Finished, Options, Played, Replay};
use scenarios::state::States;
use scenarios::timeline::{MGS, Timeline};
use scenarios::transplant;
use std::time::Duration;
use wire::Nid;

/// A part of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// First second of the next stage (`vectors/stages.tsv`), since the Unix epoch.
    pub(crate) until: u64,
    /// Recorded state after it, if there is one.
    pub(crate) state: Option<&'static str>,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// What peers said is said; what the kernel answered is compared.
    Play,
    /// The same up to the answer to a registration, which only mgsd refuses.
    Refused,
    /// The same, and mgsd writes more into the new log than the kernel (`Gap::ReachesLater`): the recorded state is
    /// compared there, and the target reads what the kernel wrote.
    ReadsTheirs,
    /// It is left out, for the reasons in `coverage.rs`. Behind it the logs are those that the kernel had after this
    /// stage, and whoever was connected connects.
    LeftOut(&'static str),
    /// The recorded MGS is away. `true`: it lost power, and its connections.
    Away(bool),
}

pub(crate) const fn stage(name: &'static str, until: u64, state: Option<&'static str>) -> Stage {
    Stage { name, until, state, how: How::Play }
}
pub(crate) const fn refused(name: &'static str, until: u64) -> Stage {
    Stage { name, until, state: None, how: How::Refused }
}
pub(crate) const fn reads_theirs(name: &'static str, until: u64, state: &'static str) -> Stage {
    Stage { name, until, state: Some(state), how: How::ReadsTheirs }
}
pub(crate) const fn left_out(name: &'static str, until: u64, logs: &'static str) -> Stage {
    Stage { name, until, state: None, how: How::LeftOut(logs) }
}
pub(crate) const fn away(name: &'static str, until: u64, lost_power: bool) -> Stage {
    Stage { name, until, state: None, how: How::Away(lost_power) }
}

/// A session, or as much of it as the stages cover.
pub(crate) struct Session {
    pub(crate) name: &'static str,
    pub(crate) ir_timeout: Duration,
    pub(crate) options: Options,
    pub(crate) stages: &'static [Stage],
}

pub(crate) fn mask_file() -> std::path::PathBuf {
    capture::vectors_dir().join("MASK.toml")
}

/// Plays it against a fresh mgsd. Every difference, of all stages, fails the test.
pub(crate) async fn play(session: Session) -> Vec<(&'static str, Played)> {
    let Session { name, ir_timeout, options, stages } = session;
    let vectors = capture::vectors_dir();
    let timeline = Timeline::load(&vectors.join(format!("captures/{name}/{name}-session.pcap.gz"))).unwrap();
    let states = States::load(&vectors.join(format!("states/{name}.tar.gz"))).unwrap();
    let mut daemon = Daemon::start(Nid::tcp(MGS.into(), 0), ir_timeout).await.unwrap();
    let mask = Mask::load(&mask_file()).unwrap();
    if options.lenient {
        let policy = ParamPolicy { validation: Validation::Warn };
        daemon.api.set_param_policy(&policy, false).await.unwrap();
    }
    let mut replay = Replay::new(timeline, daemon.lnet, mask, options.clone());
    let mut differences: Vec<Difference> = Vec::new();
    let mut played = Vec::new();
    for stage in stages {
        let until = Duration::from_secs(stage.until);
        match stage.how {
            How::Play => played.push((stage.name, replay.stage(stage.name, until).await.unwrap())),
            How::Refused => replay.refused(stage.name, until).await.unwrap(),
            How::ReadsTheirs => replay.registration(stage.name, until).await.unwrap(),
            How::LeftOut(logs) => {
                daemon =
                    transplanted(daemon, &mut replay, (&states, logs), &options, ir_timeout, until).await;
                replay.join(stage.name, until).await.unwrap();
            }
            How::Away(lost_power) => {
                replay.leave().await.unwrap();
                daemon = daemon.pause().await.unwrap().with_ir_timeout(ir_timeout).start().await.unwrap();
                replay.back(until, lost_power).await.unwrap();
            }
        }
        let form = (options.steps, options.without);
        if let (How::ReadsTheirs, Some(logs)) = (stage.how, stage.state) {
            differences.extend(states.compare_logs(logs, &daemon.api, form, replay.rules()).await.unwrap());
            let now = replay.now();
            daemon = transplanted(daemon, &mut replay, (&states, logs), &options, ir_timeout, now).await;
            replay.join(stage.name, now).await.unwrap();
            played.push((stage.name, replay.stage(stage.name, until).await.unwrap()));
        }
        if let Some(state) = stage.state {
            let tables = replay.tables().clone();
            let found = states.compare(state, &daemon.api, form, &tables, replay.rules()).await.unwrap();
            differences.extend(found);
        }
    }
    let Finished { differences: found, mask, gaps } = replay.finish().await.unwrap();
    differences.extend(found);
    let findings = daemon.stop().await.unwrap();
    println!("session {name}: {played:#?}");
    for (rule, n) in mask.uses() {
        println!("{n:6} times {:?}", rule.entry());
    }
    let text: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(text.is_empty(), "session {name}: {} differences\n{}", text.len(), text.join("\n"));
    assert_eq!(findings, [""; 0], "session {name}: mgsd check");
    let closed: Vec<Gap> = gaps.closed().collect();
    assert_eq!(closed, [], "session {name}: gaps that are closed: do not list them any more");
    played
}

/// mgsd with the logs that the kernel had after a stage; recovery is in force if it was at `time`.
async fn transplanted(
    daemon: Daemon,
    replay: &mut Replay,
    (states, stage): (&States, &str),
    options: &Options,
    ir_timeout: Duration,
    time: Duration,
) -> Daemon {
    replay.leave().await.unwrap();
    let full = !options.full_at.is_zero() && time >= options.full_at;
    let ir_timeout = if full { Duration::ZERO } else { ir_timeout };
    let stopped = daemon.pause().await.unwrap().with_ir_timeout(ir_timeout);
    transplant::logs(&stopped.store(), &states.logs(stage, options.without).unwrap()).await.unwrap();
    stopped.start().await.unwrap()
}
