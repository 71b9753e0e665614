//! The beginnings of the other sessions, as far as registrations, mounts and unmounts alone make the state.
use crate::session::{Session, Stage, play, skipped, stage};
use scenarios::gap::Gap;
use scenarios::replay::Options;
use std::time::Duration;

/// Three targets on one node, over one connection; a client.
const B: &[Stage] = &[stage("B00-mount", 1_795_231_165, Some("B00-mounted"))];

/// A second MDT; an OST with two service nodes; an OST formatted anew; file systems that are not there, or not whole; one
/// OST and then everything written anew. C03a is refused by the node itself. C04e is a file system called `params`, which
/// is refused here (docs/better-than-kernel.md). From C09a on commands change the logs.
const C: &[Stage] = &[
    stage("C00-mount", 1_795_231_935, Some("C00-mounted")),
    stage("C01-mdt0001-register", 1_795_231_948, Some("C01-mdt0001")),
    stage("C02-ost0002-servicenode", 1_795_231_985, Some("C02-ost0002-servicenode")),
    stage("C03a-dup-index-refused", 1_795_231_993, Some("C03a-dup-index")),
    stage("C03b-dup-index-replace", 1_795_232_005, Some("C03b-replace")),
    stage("C04a-client-nosuchfs", 1_795_232_010, None),
    stage("C04b-otherfs-ost-without-mdt", 1_795_232_019, Some("C04b-otherfs")),
    stage("C04c-client-otherfs", 1_795_232_024, None),
    stage("C04d-umount-otherfs", 1_795_232_029, None),
    skipped("C04e-fsname-params", 1_795_232_038),
    stage("C05-umount-all-for-writeconf", 1_795_232_043, None),
    stage("C06a-writeconf-one-ost", 1_795_232_061, Some("C06a-writeconf-ost0")),
    stage("C06b-writeconf-all-umount", 1_795_232_109, None),
    stage("C06c-writeconf-all-remount", 1_795_232_133, Some("C06c-writeconf-all")),
    stage("C06d-client-after-writeconf", 1_795_232_138, None),
];

/// Parameters and fail-over nodes of `mkfs`; an OST with a gap before it; an index that is in use; a target that moves to
/// another node and back. From E04 on commands change the logs.
const E: &[Stage] = &[
    stage("E01-mdt-params-failnode", 1_795_232_412, Some("E01-mdt-params-failnode")),
    stage("E02-ost-params-failnode", 1_795_232_435, Some("E02-ost-params-failnode")),
    stage("E03-ost000a-index10", 1_795_232_444, Some("E03-ost000a")),
    stage("E03b-dup-index-from-srv2", 1_795_232_470, Some("E03b-dup-index-refused")),
    stage("E03c-moved-target", 1_795_232_483, Some("E03c-moved-target")),
    stage("E03d-moved-target-back", 1_795_232_510, None),
];

#[tokio::test(flavor = "multi_thread")]
async fn b_three_targets_over_one_connection() {
    let session = Session {
        name: "B",
        ir_timeout: Duration::from_secs(30),
        options: Options { gaps: &[Gap::CallbackStatus], ..Options::default() },
        stages: B,
    };
    play(session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_dne_service_nodes_replace_refusals_and_writeconf() {
    // The MGT was mounted at 1795231890.0 to 3.9.
    let options = Options {
        gaps: &[Gap::CallbackStatus],
        full_at: Duration::from_secs(1_795_231_920),
        without: &["params"],
        ..Options::default()
    };
    play(Session { name: "C", ir_timeout: Duration::from_secs(30), options, stages: C }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e_parameters_fail_over_a_refused_index_and_a_target_that_moves() {
    let session = Session {
        name: "E",
        ir_timeout: Duration::from_secs(400),
        options: Options { gaps: &[Gap::CallbackStatus, Gap::RefusedRevokes], ..Options::default() },
        stages: E,
    };
    play(session).await;
}
