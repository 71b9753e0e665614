//! What must be true of everything that an engine says and keeps.
use crate::model::served;
use mgs_core::engine::Engine;
use mgs_core::export::{Export, MAX_FS, MAX_TARGETS};
use mgs_core::lint;
use mgs_core::model::View;
use mgs_core::model::commit::CommitRecord;
use mgs_core::model::keys::Key;
use mgs_core::model::tx::Changes;
use std::collections::BTreeMap;
use wire::lnet::portal;
use wire::nodemap::PAGE_MAGIC;
use wire::ptlrpc::{ConnectData, connect_op, msg_type, opc};
use wire::relay::{Frame, MAX_FRAME};
use wire::rpc::{Reply, Request, Rpc};

/// Names that an export may remember of its peer, all in all.
const MOST_NAMES: usize = MAX_TARGETS + MAX_FS;

/// A frame to the proxy: small enough, and what it carries is understood by its reader and does it no harm.
pub(super) fn frame(frame: &Frame) {
    let bytes = frame.to_bytes();
    assert!(bytes.len() <= 4 + MAX_FRAME, "frame of {} bytes", bytes.len());
    assert_eq!(Frame::parse(&bytes), Ok(Some((frame.clone(), bytes.len()))));
    match frame {
        Frame::Post { cookie, portal, match_bits, want_ack, payload, .. } => {
            let rpc = Rpc::decode_put(*portal, payload).unwrap_or_else(|e| panic!("portal {portal}: {e}"));
            assert_eq!(rpc.to_bytes(), payload);
            match (*portal, rpc) {
                (portal::MGS_BULK, Rpc::Nodemap(_) | Rpc::NidTable(..)) => {
                    assert!(*want_ack && *cookie != 0);
                    if payload.starts_with(&PAGE_MAGIC.to_le_bytes()) {
                        assert_eq!(lint::nodemap(payload), Ok(()));
                    }
                }
                (portal::MGC_REPLY | portal::LDLM_CANCEL_REPLY, Rpc::Reply { body, content, .. }) => {
                    assert!(!want_ack && *cookie == 0);
                    assert_eq!((body.transno, body.last_committed), (0, 0), "an MGS has no transactions");
                    assert!(body.status <= 0 && body.status > -4096);
                    assert!(body.msg_type == msg_type::REPLY || body.status != 0);
                    let forbidden = connect_op::RECOVERING | connect_op::REPLAYABLE;
                    assert_eq!(body.op_flags & forbidden, 0);
                    if let Reply::Connect(ConnectData { transno, .. }) = content {
                        assert_eq!(transno, 0);
                        assert_ne!(body.handle, 0);
                    }
                    assert!(body.status != 0 || body.opc != opc::MGS_EXCEPTION);
                }
                (portal::LDLM_CB_REQUEST, Rpc::Request { body, content: Request::Blocking(_), .. }) => {
                    assert_eq!(body.mbits, *match_bits);
                    assert_ne!(*cookie, 0);
                }
                (portal, rpc) => panic!("nothing of an MGS on portal {portal}: {rpc:?}"),
            }
        }
        Frame::Fetch { length, portal: portal::MGS_BULK, .. } => assert!(*length <= 1 << 20),
        Frame::Pong { .. } => {}
        other => panic!("an MGS does not say {other:?}"),
    }
}

/// A commit before it is made: readers of logs can execute what it appends, and its record continues the chain.
pub(super) fn commit(view: &View, changes: &Changes, record: &[u8], seq: u64) {
    assert!(!changes.is_empty());
    assert_eq!(lint::changes(view, changes), Ok(()));
    let ours = |key: &String| Key::parse(key).is_some_and(|key| !matches!(key, Key::Commit(_)));
    assert!(changes.keys().all(ours), "{changes:?}");
    let record: CommitRecord = serde_json::from_slice(record).expect("we wrote it");
    assert_eq!((record.seq, &record.prev), (seq, &view.last_hash));
    assert!(record.keys.iter().eq(changes.keys()));
}

/// What a peer can make the engine remember.
pub(super) fn bounds(engine: &Engine, inputs: usize) {
    assert!(engine.exports().len() <= inputs && engine.locks().len() <= inputs);
    let names = |e: &Export| e.fs.len() + e.targets.len();
    assert!(engine.exports().iter().all(|e| names(e) <= MOST_NAMES && e.in_service <= 1024));
}

/// A daemon that starts on this store sees what the one before it saw.
pub(super) fn same(view: &View, store: &BTreeMap<String, Vec<u8>>, seq: u64) {
    assert_eq!(view.seq, seq);
    let loaded = View::load(store.iter().map(|(k, v)| (k.as_str(), v.as_slice()))).expect("we wrote it");
    assert_eq!((&loaded.meta, loaded.seq, &loaded.last_hash), (&view.meta, view.seq, &view.last_hash));
    assert_eq!(loaded.fs, view.fs);
    let logs = |v: &View| -> Vec<_> {
        v.logs.iter().map(|(name, e)| (name.clone(), e.head.clone(), e.log.to_file())).collect()
    };
    assert_eq!(logs(&loaded), logs(view));
    assert_eq!(lint::view(view), Vec::<String>::new());
    served(view);
}
