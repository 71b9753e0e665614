//! The fuzz entry points on the corpus: streams of real peers, whole and mutated, and random events.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use lnet_core::fuzz::{events, stream};
use proptest::prelude::*;

fn streams() -> Vec<Vec<u8>> {
    let file = capture::vectors_dir().join("captures/A/A05-client-mount.pcap.gz");
    let all = capture::load(&file).unwrap().into_iter().filter(|c| c.server.ip().to_string() == "10.77.0.2");
    all.map(|c| c.to_server.bytes).collect()
}

#[test]
fn streams_of_real_peers() {
    let all = streams();
    assert_eq!(all.len(), 3);
    let reached: Vec<_> = all.iter().map(|bytes| stream(bytes)).collect();
    assert!(reached.iter().all(|c| (c.opened, c.malformed) == (1, 0)), "{reached:?}");
    assert!(reached.iter().any(|c| c.delivered > 10), "{reached:?}");
}

proptest! {
    #[test]
    fn mutated_streams(which in 0..3usize, patches in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = streams().swap_remove(which);
        for (at, byte) in patches {
            *at.get_mut(&mut bytes) = byte;
        }
        stream(&bytes);
    }

    #[test]
    fn random_events(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        events(&bytes);
    }

    /// Real streams over several connections, cut into events, with other events between them.
    #[test]
    fn real_streams_as_events(cuts in proptest::collection::vec((0..10u8, any::<u8>(), 0..3usize, any::<u8>()), 0..200)) {
        let all = streams();
        let mut at = [0; 3];
        let mut script = vec![0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (what, which, conn, much) in cuts {
            let (Some(bytes), Some(at)) = (all.get(conn), at.get_mut(conn)) else { panic!() };
            let end = (*at + usize::from(much)).min(bytes.len());
            let piece = bytes.get(*at..end).unwrap();
            script.extend([1, conn.try_into().unwrap(), piece.len().try_into().unwrap()]);
            script.extend(piece);
            *at = end;
            script.extend([what, which, 3, 1, 2, 3]);
        }
        events(&script);
    }
}
