//! The beginnings of the other sessions, as far as registrations, mounts and unmounts alone make the state.
use crate::session::{Session, Stage, play, stage};
use scenarios::gap::Gap;
use scenarios::replay::Options;
use std::time::Duration;

/// Three targets on one node, over one connection; a client.
const B: &[Stage] = &[stage("B00-mount", 1_795_231_165, Some("B00-mounted"))];

/// A second MDT; an OST with two service nodes.
const C: &[Stage] = &[
    stage("C00-mount", 1_795_231_935, Some("C00-mounted")),
    stage("C01-mdt0001-register", 1_795_231_948, Some("C01-mdt0001")),
    stage("C02-ost0002-servicenode", 1_795_231_985, Some("C02-ost0002-servicenode")),
];

/// Parameters and fail-over nodes of `mkfs`; an OST with a gap before it; an index that is in use.
const E: &[Stage] = &[
    stage("E01-mdt-params-failnode", 1_795_232_412, Some("E01-mdt-params-failnode")),
    stage("E02-ost-params-failnode", 1_795_232_435, Some("E02-ost-params-failnode")),
    stage("E03-ost000a-index10", 1_795_232_444, Some("E03-ost000a")),
    stage("E03b-dup-index-from-srv2", 1_795_232_470, Some("E03b-dup-index-refused")),
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
async fn c_second_mdt_and_service_nodes() {
    // The MGT was mounted at 1795231890.0 to 3.9.
    let options = Options {
        gaps: &[Gap::CallbackStatus],
        full_at: Duration::from_secs(1_795_231_920),
        ..Options::default()
    };
    play(Session { name: "C", ir_timeout: Duration::from_secs(30), options, stages: C }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e_parameters_fail_over_and_a_refused_index() {
    let session = Session {
        name: "E",
        ir_timeout: Duration::from_secs(400),
        options: Options { gaps: &[Gap::CallbackStatus, Gap::RefusedRevokes], ..Options::default() },
        stages: E,
    };
    play(session).await;
}
