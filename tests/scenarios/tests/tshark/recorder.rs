//! The flight recorder's capture files: tshark names what a peer and mgsd said to each other.
use crate::tool;
use lustre_peer::{HostConfig, PeerHost};
use scenarios::daemon::Daemon;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;
use wire::Nid;

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_client_is_a_capture_with_every_opcode() {
    let mgs: Nid = "10.77.0.2@tcp".parse().unwrap();
    let peer: Nid = "10.77.0.3@tcp".parse().unwrap();
    let daemon = Daemon::start(mgs, Duration::from_secs(400)).await.unwrap();
    let host = PeerHost::start(HostConfig::new(peer, vec![mgs]).with_mgs_addr(daemon.lnet)).await.unwrap();
    host.mount_mdt("testfs", 0).await.unwrap();
    host.mount_client("testfs").await.unwrap();
    host.umount("testfs-client").await.unwrap();

    let record = daemon.api.client_record(&peer.to_string()).await.unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&record).unwrap();
    let rows = tool::decode(file.path());
    // Opcode and type as tshark read them: 4711 a request, 4713 a reply.
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for row in &rows {
        let of = row.values("lustre.ptlrpc_body.pb_type");
        let opcodes = row.values("lustre.ptlrpc_body.pb_opc");
        assert_eq!(of.len(), opcodes.len());
        seen.extend(opcodes.iter().zip(of).map(|(opc, of)| ((*opc).to_owned(), of.to_owned())));
        assert_eq!([row.from.ip(), row.to.ip()].iter().filter(|ip| Some(**ip) == mgs.ip()).count(), 1);
    }
    // CONNECT, TARGET_REG, CONFIG_READ, ENQUEUE, CANCEL, and the three log operations.
    for opcode in ["250", "253", "256", "101", "103", "501", "502", "503"] {
        for of in ["4711", "4713"] {
            assert!(seen.contains(&(opcode.to_owned(), of.to_owned())), "no {opcode} / {of} in {seen:?}");
        }
    }
    let registered: Vec<&str> =
        rows.iter().flat_map(|r| r.values("lustre.mgs_target_info.mti_svname")).collect();
    assert!(!registered.is_empty() && registered.iter().all(|n| *n == "testfs-MDT0000"), "{registered:?}");
    host.power_off().await;
    assert_eq!(daemon.stop().await.unwrap(), Vec::<String>::new());
}
