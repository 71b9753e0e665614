//! Parts of log records: commands and markers.
use llog::lcfg::MAX_BUFS;
use llog::{Log, LustreCfg, Marker};

/// Payload of a record.
pub fn lustre_cfg(data: &[u8]) {
    let Ok(cfg) = LustreCfg::decode(data) else { return };
    let bytes = cfg.encode();
    assert_eq!(bytes.len(), cfg.encoded_len());
    assert!(bytes.len() <= data.len() && cfg.bufs.len() <= MAX_BUFS);
    assert_eq!(LustreCfg::decode(&bytes).as_ref(), Ok(&cfg));
    cfg.effective_nid();
    for i in 0..8 {
        let _ = cfg.buf_str(i);
    }
    let mut log = Log::new();
    match log.append(&cfg, 1) {
        Ok(at) => {
            assert!(cfg.check().is_ok());
            let record = log.record(at.index).expect("was appended just now");
            assert_eq!((record.payload, record.cfg()), (&bytes[..], Ok(cfg)));
            crate::llog::image(&log);
        }
        Err(e) => {
            assert!(!e.to_string().contains('\n'), "{e}");
            assert_eq!(log.end(), 0);
        }
    }
}

/// Marker of either length.
pub fn marker(data: &[u8]) {
    let Ok(marker) = Marker::decode(data) else { return };
    let _ = (marker.is_start(), marker.is_end());
    // Replacement characters make a name longer than its field.
    match marker.encode() {
        Ok(bytes) => assert_eq!(Marker::decode(&bytes), Ok(marker)),
        Err(_) => assert!(marker.tgtname.len() > 63 || marker.comment.len() > 63),
    }
}
