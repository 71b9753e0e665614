//! Session A: first registrations, mounts, unmounts; the whole of it.
use crate::session::{Session, Stage, play, stage};
use scenarios::gap::Gap;
use scenarios::replay::Options;
use std::time::Duration;

pub(crate) const STAGES: &[Stage] = &[
    stage("A00-format", 1_795_230_618, Some("A00-empty-mgt")),
    stage("A01-mdt0000-first", 1_795_230_644, Some("A01-mdt0000")),
    stage("A02-ost0000-first", 1_795_230_666, Some("A02-ost0000")),
    stage("A03-ost0001-first", 1_795_230_689, Some("A03-ost0001")),
    stage("A04-remount", 1_795_230_708, Some("A04-remount")),
    stage("A05-client-mount", 1_795_230_723, Some("A05-client-mounted")),
    stage("A06-keepalive-idle-70s", 1_795_230_800, None),
    stage("A07-unmount", 1_795_230_900, Some("A07-unmounted")),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_first_registrations_mounts_and_unmounts() {
    let ir_timeout = Duration::from_secs(400);
    let session = Session {
        name: "A",
        ir_timeout,
        options: Options { gaps: &[Gap::CallbackStatus], ..Options::default() },
        stages: STAGES,
    };
    let played = play(session).await;
    for (stage, played) in &played[1..] {
        assert!(played.requests > 0 && played.compared >= played.requests, "{stage}: {played:?}");
    }
}
