//! What mgsd, as a process, says to a proxy: welcome, credit, farewell; whom it lets in; and what a proxy makes of an mgsd
//! that was stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemon;

use daemon::{command, serve};
use lnet_proxy::Link;
use lnet_proxy::link::{self, FrameLink};
use lustre_peer::host::{HostConfig, PeerHost};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Child;
use wire::Nid;
use wire::relay::{Frame, VERSION, credit, feature};

const MGS: &str = "127.0.0.1@tcp";

fn nid(text: &str) -> Nid {
    text.parse().unwrap()
}

struct Daemon {
    child: Child,
    dir: tempfile::TempDir,
}

impl Daemon {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Self::spawn(dir.path()).await;
        Self { child, dir }
    }

    async fn spawn(dir: &Path) -> Child {
        let relay = format!("unix:{}", dir.join("relay").display());
        serve(command(&dir.join("data")).args(["--nid", MGS, "--relay", &relay])).await.0
    }

    fn relay(&self) -> PathBuf {
        self.dir.path().join("relay")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    async fn greet(&self, features: u64) -> FrameLink {
        let mut link = link::connect(&self.relay()).await.unwrap();
        link.tx.send(hello(features)).await.unwrap();
        let Some(Frame::Welcome { features: granted, .. }) = link.rx.recv().await else { panic!() };
        assert_eq!(granted, features & feature::CREDIT);
        link
    }
}

fn hello(features: u64) -> Frame {
    let (min_version, max_version, identity) = (VERSION, VERSION, "test".to_owned());
    Frame::Hello { min_version, max_version, features, identity, nids: vec![nid(MGS)] }
}

fn up(slot: u32) -> Frame {
    let (peer, local, remote) = (nid("10.0.0.7@tcp"), nid(MGS), String::new());
    Frame::PeerUp { slot, peer, local, incarnation: 1, remote, gateway: None }
}

/// mgsd drops it as malformed, but takes it.
fn deliver(slot: u32) -> Frame {
    let payload = bytes::Bytes::from_static(b"no ptlrpc message");
    Frame::Deliver { slot, incarnation: 1, portal: 26, match_bits: 1, offset: 0, payload }
}

#[tokio::test]
async fn credit_is_opened_given_back_and_not_to_be_overdrawn() {
    let daemon = Daemon::start().await;
    let mut link = daemon.greet(feature::CREDIT | 1 << 63).await;
    let Some(Frame::Credit { slot: credit::LINK, count: of_link }) = link.rx.recv().await else { panic!() };
    let Some(Frame::Credit { slot: credit::EACH_PEER, count }) = link.rx.recv().await else { panic!() };
    assert!(0 < count && count < of_link, "one peer cannot use up the link: {count} of {of_link}");
    link.tx.send(up(7)).await.unwrap();
    let (mut open, mut open_link) = (count, of_link);
    for _ in 0..5000 {
        while open == 0 || open_link == 0 {
            match link.rx.recv().await.unwrap() {
                Frame::Credit { slot: 7, count } => open += count,
                Frame::Credit { slot: credit::LINK, count } => open_link += count,
                other => panic!("{other:?}"),
            }
        }
        (open, open_link) = (open - 1, open_link - 1);
        link.tx.send(deliver(7)).await.unwrap();
    }
    // A peer that was never announced has no credit: the proxy is out of its mind.
    link.tx.send(deliver(8)).await.unwrap();
    while let Some(frame) = link.rx.recv().await {
        assert!(matches!(frame, Frame::Credit { .. }), "{frame:?}");
    }
    // A proxy that knows no credit is served without.
    let mut old = daemon.greet(0).await;
    old.tx.send(up(7)).await.unwrap();
    for _ in 0..5000 {
        old.tx.send(deliver(7)).await.unwrap();
    }
    old.tx.send(Frame::Ping { token: 5 }).await.unwrap();
    assert_eq!(old.rx.recv().await, Some(Frame::Pong { token: 5 }));
}

#[tokio::test]
async fn sigterm_drains_before_the_end() {
    let mut daemon = Daemon::start().await;
    let mut link = daemon.greet(0).await;
    daemon.signal(Signal::TERM);
    assert_eq!(link.rx.recv().await, Some(Frame::Drain));
    let Some(Frame::Ping { token }) = link.rx.recv().await else { panic!() };
    // It serves until we have seen the Drain; a proxy that comes now is not welcomed.
    link.tx.send(Frame::Ping { token: 77 }).await.unwrap();
    assert_eq!(link.rx.recv().await, Some(Frame::Pong { token: 77 }));
    let mut late = link::connect(&daemon.relay()).await.unwrap();
    late.tx.send(hello(0)).await.unwrap();
    assert_eq!(late.rx.recv().await, None);
    link.tx.send(Frame::Pong { token }).await.unwrap();
    let Some(Frame::Ping { token }) = link.rx.recv().await else { panic!() };
    link.tx.send(Frame::Pong { token }).await.unwrap();
    assert_eq!(link.rx.recv().await, None);
    assert!(daemon.child.wait().await.unwrap().success());
}

/// A proxy that never answers does not keep it.
#[tokio::test]
async fn sigterm_waits_for_nobody_for_long() {
    let mut daemon = Daemon::start().await;
    let mut link = daemon.greet(0).await;
    daemon.signal(Signal::TERM);
    assert!(daemon.child.wait().await.unwrap().success());
    assert_eq!(link.rx.recv().await, Some(Frame::Drain));
}

/// SIGSTOP, with a proxy and a node: given up, listener closed, back after SIGCONT, on the same TCP connection.
#[tokio::test]
async fn a_stopped_mgsd_is_shown_and_comes_back() {
    let daemon = Daemon::start().await;
    let mut config = lnet_proxy::Config::new(vec![nid(MGS)]).with_port(0);
    config.core.timing.daemon_ping = Duration::from_millis(50);
    config.core.timing.daemon_silence = Some(Duration::from_millis(1000));
    config.core.timing.no_daemon = Duration::from_millis(100);
    let proxy = lnet_proxy::spawn(config, Link::Unix(daemon.relay())).unwrap();
    let mgs = *proxy.addresses.first().unwrap();
    proxy.wait_for(|s| s.listening).await.unwrap();
    let host = HostConfig::new(nid("10.8.0.1@tcp"), vec![nid(MGS)]).with_mgs_addr(mgs);
    let node = PeerHost::start(host).await.unwrap();
    node.mount_mdt("testfs", 0).await.unwrap();
    let before = proxy.snapshot();

    daemon.signal(Signal::STOP);
    let stopped = proxy.wait_for(|s| !s.listening && s.counters.daemons_silent >= 2).await.unwrap();
    assert_eq!((stopped.connections, stopped.peers), (before.connections, before.peers));
    daemon.signal(Signal::CONT);
    proxy.wait_for(|s| s.listening).await.unwrap();
    node.umount("testfs-MDT0000").await.unwrap();
    node.mount_mdt("testfs", 0).await.unwrap();
    assert_eq!(proxy.snapshot().counters.accepted, before.counters.accepted, "no TCP connection was lost");
}

/// Root and the user of mgsd may say which node sent what; nobody else, whatever the modes of the socket allow.
#[tokio::test]
async fn a_stranger_on_the_relay_socket_is_refused() {
    let daemon = Daemon::start().await;
    let relay = daemon.relay();
    let own = relay.metadata().unwrap().uid();
    assert_eq!(own, 0, "this test speaks as another user to an mgsd of root: run it as root");
    // As if an administrator had opened it.
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    open(daemon.dir.path(), 0o755);
    open(&relay, 0o666);
    let of_stranger = relay.clone();
    let stranger = std::thread::spawn(move || {
        // The kernel's notion: of this thread alone.
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        let mut stream = std::os::unix::net::UnixStream::connect(of_stranger).unwrap();
        // It may be closed before we have said, or have been read, a word.
        let mut answer = Vec::new();
        let ended = std::io::Write::write_all(&mut stream, &hello(0).to_bytes())
            .and_then(|()| stream.read_to_end(&mut answer));
        (ended.map_or_else(|e| e.kind(), |_| ErrorKind::ConnectionReset), answer)
    });
    let (ended, answer) = stranger.join().unwrap();
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    assert_eq!(answer, b"", "closed without a word");
    daemon.greet(0).await;
}
