//! The other sessions. Stages that are made of commands are left out (`coverage.rs` says which, and why); behind them the
//! logs are those of the kernel, and the replay goes on.
use crate::session::{Session, Stage, away, left_out, play, reads_theirs, refused, stage};
use scenarios::gap::Gap;
use scenarios::replay::Options;
use std::time::Duration;

/// Three targets on one node, over one connection; a client. Imperative recovery of an OST and of the MDT under the
/// client; the MGS unmounted for some seconds, and then without power.
pub(crate) const B: &[Stage] = &[
    stage("B00-mount", 1_795_231_165, Some("B00-mounted")),
    left_out("B01a to B03f", 1_795_231_420, "B03f-pool-destroyed"),
    stage("B04a-ost0-stop", 1_795_231_432, None),
    stage("B04b-ost0-start", 1_795_231_447, Some("B04b-ir-ost-restart")),
    stage("B04c-mdt0-restart", 1_795_231_463, Some("B04c-ir-mdt-restart")),
    left_out("B05a to B09", 1_795_231_556, "B07a-lqa"),
    away("B10a-mgs-umount", 1_795_231_562, false),
    stage("B10b-mgs-mount", 1_795_231_608, Some("B10b-mgs-restarted")),
    away("B11-mgs-crash", 1_795_231_633, true),
    stage("B11-mgs-crash-restart", 1_795_231_694, Some("B11-mgs-crash-restarted")),
];

/// A second MDT; an OST with two service nodes; an OST formatted anew; file systems that are not there, or not whole; one
/// OST and then everything written anew. C03a is refused by the node itself. C04e is a file system called `params`, which
/// is refused here (docs/better-than-kernel.md). From C09a on commands change the logs; then servers and clients mount
/// what these left, and ten OSTs register.
pub(crate) const C: &[Stage] = &[
    stage("C00-mount", 1_795_231_935, Some("C00-mounted")),
    stage("C01-mdt0001-register", 1_795_231_948, Some("C01-mdt0001")),
    stage("C02-ost0002-servicenode", 1_795_231_985, Some("C02-ost0002-servicenode")),
    stage("C03a-dup-index-refused", 1_795_231_993, Some("C03a-dup-index")),
    stage("C03b-dup-index-replace", 1_795_232_005, Some("C03b-replace")),
    stage("C04a-client-nosuchfs", 1_795_232_010, None),
    stage("C04b-otherfs-ost-without-mdt", 1_795_232_019, Some("C04b-otherfs")),
    stage("C04c-client-otherfs", 1_795_232_024, None),
    stage("C04d-umount-otherfs", 1_795_232_029, None),
    refused("C04e-refused-bad-fsname", 1_795_232_038),
    stage("C05-umount-all-for-writeconf", 1_795_232_043, None),
    stage("C06a-writeconf-one-ost", 1_795_232_061, Some("C06a-writeconf-ost0")),
    stage("C06b-writeconf-all-umount", 1_795_232_109, None),
    stage("C06c-writeconf-all-remount", 1_795_232_133, Some("C06c-writeconf-all")),
    stage("C06d-client-after-writeconf", 1_795_232_138, None),
    left_out("C09a to C10c", 1_795_232_238, "C10c-llog_remove"),
    stage("C12-remount-after", 1_795_232_246, None),
    stage("C12-client-mounts", 1_795_232_278, None),
    stage("C13-N-registrations", 1_795_232_330, Some("C13-N-registrations")),
];

/// Parameters and fail-over nodes of `mkfs`; an OST with a gap before it; an index that is in use; a target that moves to
/// another node and back; a client; everything unmounted.
pub(crate) const E: &[Stage] = &[
    stage("E01-mdt-params-failnode", 1_795_232_412, Some("E01-mdt-params-failnode")),
    reads_theirs("E02-ost-params-failnode", 1_795_232_435, "E02-ost-params-failnode"),
    // Its mount is refused by the node itself.
    stage("E03-ost000a-index10", 1_795_232_444, Some("E03-ost000a")),
    stage("E03b-dup-index-from-srv2", 1_795_232_470, Some("E03b-dup-index-refused")),
    stage("E03c-moved-target", 1_795_232_483, Some("E03c-moved-target")),
    stage("E03d-moved-target-back", 1_795_232_510, None),
    left_out("E04-sptlrpc", 1_795_232_517, "E04-sptlrpc"),
    stage("E05-client-mount", 1_795_232_530, None),
    left_out("E06 to E11", 1_795_232_620, "E09-lqa"),
    stage("E12-client-umount", 1_795_232_625, None),
    stage("E12-servers-umount", 1_795_232_650, None),
];

#[tokio::test(flavor = "multi_thread")]
async fn b_three_targets_over_one_connection() {
    // The MGT was mounted at 1795231117.1 to 22.2.
    let options = Options {
        gaps: &[Gap::CallbackStatus, Gap::TableKept],
        full_at: Duration::from_secs(1_795_231_153),
        ..Options::default()
    };
    let session = Session { name: "B", ir_timeout: Duration::from_secs(30), options, stages: B };
    play(session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c_dne_service_nodes_replace_refusals_and_writeconf() {
    // The MGT was mounted at 1795231890.0 to 3.9.
    let options = Options {
        gaps: &[Gap::CallbackStatus, Gap::ReservedName],
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
        options: Options {
            gaps: &[Gap::CallbackStatus, Gap::RefusedRevokes, Gap::ReachesLater],
            // `ost.threads_max` is a name of the OSS service, where conf_param does not reach.
            lenient: true,
            ..Options::default()
        },
        stages: E,
    };
    play(session).await;
}
