//! Plays a session stage by stage.
use scenarios::daemon::Daemon;
use scenarios::gap::Gap;
use scenarios::mask::Mask;
use scenarios::replay::{Difference, Finished, Options, Played, Replay};
use scenarios::state::States;
use scenarios::timeline::{MGS, Timeline};
use std::time::Duration;
use wire::Nid;

/// A part of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// First second of the next stage (`ops.tsv` of the recording), since the Unix epoch.
    pub(crate) until: u64,
    /// Recorded state after it, if there is one.
    pub(crate) state: Option<&'static str>,
    /// It is a named difference as a whole: only its connections are made.
    pub(crate) skip: bool,
}

pub(crate) const fn stage(name: &'static str, until: u64, state: Option<&'static str>) -> Stage {
    Stage { name, until, state, skip: false }
}

pub(crate) const fn skipped(name: &'static str, until: u64) -> Stage {
    Stage { name, until, state: None, skip: true }
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
    let daemon = Daemon::start(Nid::tcp(MGS.into(), 0), ir_timeout).await.unwrap();
    let mask = Mask::load(&mask_file()).unwrap();
    let (steps, without) = (options.steps, options.without);
    let mut replay = Replay::new(timeline, daemon.lnet, mask, options);
    let mut differences: Vec<Difference> = Vec::new();
    let mut played = Vec::new();
    for stage in stages {
        if stage.skip {
            replay.skip(Duration::from_secs(stage.until)).await.unwrap();
            continue;
        }
        played.push((stage.name, replay.stage(stage.name, Duration::from_secs(stage.until)).await.unwrap()));
        if let Some(state) = stage.state {
            let tables = replay.tables().clone();
            let found =
                states.compare(state, &daemon.api, (steps, without), &tables, replay.mask()).await.unwrap();
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
