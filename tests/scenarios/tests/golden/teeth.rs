//! The replay fails when it should.
use crate::session::mask_file;
use scenarios::daemon::Daemon;
use scenarios::gap::Gap;
use scenarios::mask::Mask;
use scenarios::replay::{Difference, Options, Replay};
use scenarios::timeline::{Item, MGS, Timeline};
use std::net::SocketAddr;
use std::time::Duration;
use wire::Nid;

/// First second of A02.
const A01: Duration = Duration::from_secs(1_795_230_644);

fn first_registration() -> Timeline {
    let path = capture::vectors_dir().join("captures/A/A-session.pcap.gz");
    let mut timeline = Timeline::load(&path).unwrap();
    timeline.events.retain(|e| e.time < A01);
    timeline
}

async fn replay(timeline: Timeline, to: SocketAddr) -> Vec<Difference> {
    let options = Options { gaps: &[Gap::CallbackStatus], ..Options::default() };
    let mut replay = Replay::new(timeline, to, Mask::load(&mask_file()).unwrap(), options);
    replay.stage("A01", A01).await.unwrap();
    assert!(replay.at_end() || replay.halted());
    replay.finish().await.unwrap().differences
}

async fn against_mgsd(timeline: Timeline) -> Vec<Difference> {
    let daemon = Daemon::start(Nid::tcp(MGS.into(), 0), Duration::from_secs(400)).await.unwrap();
    let found = replay(timeline, daemon.lnet).await;
    daemon.stop().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kernel_did_not_say_is_found() {
    let mut timeline = first_registration();
    let last = timeline.events.iter().rposition(|e| matches!(e.item, Item::Mgs(_))).unwrap();
    timeline.events.remove(last);
    let found = against_mgsd(timeline).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].what.as_str(), found[0].kernel.as_str()),
        ("MGS_DISCONNECT reply to 10.77.0.3@tcp", "-")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kernel_said_otherwise_is_found() {
    let mut timeline = first_registration();
    let mut changed = 0;
    for event in &mut timeline.events {
        // The name in the answer to the registration, in the recording only.
        if let Item::Mgs(wire::socklnd::Frame::Lnet(_, _, payload)) = &mut event.item
            && payload.len() == 4768
            && let Some(at) = payload.windows(14).position(|w| w == b"testfs-MDT0000")
        {
            let mut bytes = payload.to_vec();
            bytes[at + 13] = b'7';
            *payload = bytes.into();
            changed += 1;
        }
    }
    let found = against_mgsd(timeline).await;
    assert_eq!((changed, found.len()), (2, 2), "registration and READY: {found:?}");
    for difference in found {
        let Difference { what, place, kernel, ours, .. } = difference;
        assert_eq!(
            (what.as_str(), place.as_str()),
            ("MGS_TARGET_REG reply to 10.77.0.3@tcp", "content.0.svname")
        );
        assert_eq!((kernel.as_str(), ours.as_str()), ("\"testfs-MDT0007\"", "\"testfs-MDT0000\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_mgsd_closes_is_found() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream)
        }
    });
    let found = replay(first_registration(), to).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].what.as_str(), found[0].place.as_str()), ("HELLO", "Control connection"));
}
