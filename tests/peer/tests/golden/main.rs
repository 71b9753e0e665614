//! The node against the recordings: fed what the kernel MGS said, it says what the kernel client said.
//!
//! Lock step: for each captured message of the peer the node must have emitted an equal one on the connection of the
//! same type; each captured message of the MGS is fed to it. Compared are the decoded structures, every field. What a
//! node chooses itself is mapped, consistently, old → new: xids, cookies, LNet handles, the uuid of the MGC. A process
//! id must be positive. Not compared is the order between things that different kernel threads do: LNet ACKs and
//! answers, replies to callbacks, and requests are three sequences; cancels that are outstanding together are taken
//! in the order of their xids.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod compare;
mod replay;
mod timeline;

use lustre_peer::{ClientOptions, Command, TargetKind, TargetOptions, TargetState};
use replay::Replay;
use std::net::Ipv4Addr;
use std::time::Duration;
use timeline::Boot;

const SRV: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
const SRV2: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);
const CLI: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);

fn target(kind: TargetKind, index: u32) -> Command {
    Command::MountTarget(TargetOptions {
        state: TargetState::Virgin,
        ..TargetOptions::new("testfs", kind, index)
    })
}

fn registered(kind: TargetKind, index: u32) -> Command {
    let options = TargetOptions {
        state: TargetState::Registered,
        instance: Some(2),
        ..TargetOptions::new("testfs", kind, index)
    };
    Command::MountTarget(options)
}

fn umount(name: &str) -> Command {
    Command::Umount(name.to_owned())
}

fn only(capture: &str, ip: Ipv4Addr) -> Boot {
    let mut boots = timeline::boots(capture, ip);
    assert_eq!(boots.len(), 1, "{capture}: boots of {ip}");
    boots.remove(0)
}

fn servers() -> Vec<Command> {
    vec![registered(TargetKind::Mdt, 0), registered(TargetKind::Ost, 0), registered(TargetKind::Ost, 1)]
}

#[test]
fn a01_first_registration_of_the_mdt() {
    let done = Replay::new(only("A01-mdt0000-first-registration", SRV)).run(vec![target(TargetKind::Mdt, 0)]);
    assert_eq!(done.mounted, ["testfs-MDT0000"]);
    assert_eq!((done.requests, done.pings_asked), (25, 0));
}

#[test]
fn a02_first_registration_of_an_ost() {
    let done = Replay::new(only("A02-ost0000-first-registration", SRV)).run(vec![target(TargetKind::Ost, 0)]);
    assert_eq!(done.mounted, ["testfs-OST0000"]);
    assert_eq!((done.requests, done.pings_asked), (21, 0));
}

#[test]
fn a03_first_registration_of_a_second_ost() {
    let done = Replay::new(only("A03-ost0001-first-registration", SRV)).run(vec![target(TargetKind::Ost, 1)]);
    assert_eq!(done.mounted, ["testfs-OST0001"]);
    assert_eq!((done.requests, done.pings_asked), (21, 0));
}

#[test]
fn a04_remount_of_three_targets() {
    let done = Replay::new(only("A04-remount-registered-targets", SRV)).run(servers());
    assert_eq!(done.mounted, ["testfs-MDT0000", "testfs-OST0000", "testfs-OST0001"]);
    assert_eq!((done.requests, done.pings_asked), (25 + 16 + 16 + 2, 0));
}

#[test]
fn a05_client_mount() {
    let client = Command::MountClient(ClientOptions::new("testfs"));
    let done = Replay::new(only("A05-client-mount", CLI)).run(vec![client]);
    assert_eq!(done.mounted, ["testfs-client"]);
    assert_eq!(done.config.to_string(), "1 MDT, 2 OSTs");
    assert_eq!((done.requests, done.pings_asked), (14, 1));
}

/// The whole session in its TCP streams: A01 to A04 with the unmounts between, 70 idle seconds (A06), A07.
#[test]
fn a07_whole_session_of_the_server_node() {
    let mut boots = timeline::boots("A-session", SRV).into_iter();
    let once = |kind, index, name: &str| vec![target(kind, index), umount(name)];
    let scripts = [
        once(TargetKind::Mdt, 0, "testfs-MDT0000"),
        once(TargetKind::Ost, 0, "testfs-OST0000"),
        once(TargetKind::Ost, 1, "testfs-OST0001"),
    ];
    for script in scripts {
        let done = Replay::new(boots.next().unwrap()).run(script);
        assert!(done.mounted.is_empty());
    }
    let mut script = servers();
    script.extend([umount("testfs-OST0001"), umount("testfs-OST0000"), umount("testfs-MDT0000")]);
    let done = Replay::new(boots.next().unwrap()).run(script);
    assert!(done.mounted.is_empty());
    // The first ping of the kernel came after 21.8 s already; later `lctl get_param` pinged twice, once when a ping was
    // due anyway.
    assert_eq!((done.pings_alone, done.pings_asked), (3, 2));
    assert!(boots.next().is_none());
}

#[test]
fn a07_whole_session_of_the_client() {
    let script = vec![Command::MountClient(ClientOptions::new("testfs")), umount("testfs-client")];
    let done = Replay::new(only("A-session", CLI)).run(script);
    assert!(done.mounted.is_empty());
    assert_eq!((done.pings_alone, done.pings_asked), (3, 3));
}

#[test]
fn b_client_with_changes_and_restarts_of_the_mgs() {
    let script = vec![Command::MountClient(ClientOptions::new("testfs"))];
    let done = Replay::new(only("B-session", CLI)).loose().run(script);
    assert_eq!(done.mounted, ["testfs-client"]);
}

/// Three targets of one node, each registration revoking the locks of those before; then two changed parameters. Cut
/// before the third change: there the recorded requeue thread met a burst of callbacks halfway.
#[test]
fn b_servers_with_changes() {
    let script = vec![target(TargetKind::Mdt, 0), target(TargetKind::Ost, 0), target(TargetKind::Ost, 1)];
    let boot = only("B-session", SRV).until(Duration::from_secs(1_795_231_203));
    let done = Replay::new(boot).loose().run(script);
    assert_eq!(done.mounted, ["testfs-MDT0000", "testfs-OST0000", "testfs-OST0001"]);
    let osc = ("testfs-OST0000-osc-MDT0000".to_owned(), "osc.max_dirty_mb".to_owned());
    assert_eq!(
        (done.config.timeout, done.config.params.get(&osc).map(String::as_str)),
        (Some(60), Some("64"))
    );
}

/// A second OST0000 on another node: connect, registration refused, disconnect.
#[test]
fn e03b_refused_registration() {
    let boot = only("E03b-dup-index-refused-by-mgs", SRV2);
    let done = Replay::new(boot).refused(-98).run(vec![target(TargetKind::Ost, 0)]);
    assert!(done.mounted.is_empty());
    assert_eq!(done.requests, 3);
}
