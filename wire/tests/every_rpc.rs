//! The table of all RPCs of an MGS (protocol/6, 6.1) and the opcodes (protocol/2 to 5): numbers, names, buffer sizes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
use bytes::Bytes;
use wire::ldlm::{BarrierDesc, BarrierLvb, LdlmReply, LdlmRequest};
use wire::llog_rpc::LlogdBody;
use wire::mgs::{ConfigBody, ConfigRes, TargetInfo, TargetNidList};
use wire::ptlrpc::{Body, ConnectData, ConnectRequest, Message};
use wire::rpc::{Head, Reply, Request, Rpc, opcode_name};

#[test]
fn opcodes_have_the_names_of_lustre_idl() {
    let named = [
        (101, "LDLM_ENQUEUE"),
        (102, "LDLM_CONVERT"),
        (103, "LDLM_CANCEL"),
        (104, "LDLM_BL_CALLBACK"),
        (105, "LDLM_CP_CALLBACK"),
        (106, "LDLM_GL_CALLBACK"),
        (250, "MGS_CONNECT"),
        (251, "MGS_DISCONNECT"),
        (252, "MGS_EXCEPTION"),
        (253, "MGS_TARGET_REG"),
        (254, "MGS_TARGET_DEL"),
        (255, "MGS_SET_INFO"),
        (256, "MGS_CONFIG_READ"),
        (400, "OBD_PING"),
        (501, "LLOG_ORIGIN_HANDLE_CREATE"),
        (502, "LLOG_ORIGIN_HANDLE_NEXT_BLOCK"),
        (503, "LLOG_ORIGIN_HANDLE_READ_HEADER"),
        (508, "LLOG_ORIGIN_HANDLE_PREV_BLOCK"),
        (801, "SEC_CTX_INIT"),
        (803, "SEC_CTX_FINI"),
    ];
    for code in 0..1000 {
        let expected = named.iter().find(|(number, _)| *number == code).map(|(_, name)| *name);
        assert_eq!(opcode_name(code), expected, "{code}");
    }
}

/// `lm_buflens`, read from the bytes without our decoder.
fn buflens(bytes: &[u8]) -> Vec<u32> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    (0..word(0) as usize).map(|i| word(32 + 4 * i)).collect()
}
/// Sizes as the table has them; and what is read from the bytes is what was written.
fn check(rpc: &Rpc, portal: u32, buffers: &[u32], total: usize) {
    let bytes = rpc.to_bytes();
    assert_eq!((buflens(&bytes).as_slice(), bytes.len()), (buffers, total), "{rpc:?}");
    assert_eq!(Message::decode(&bytes).unwrap().wire_len(), total);
    assert_eq!(Rpc::decode_put(portal, &bytes).as_ref(), Ok(rpc));
}

#[test]
fn requests() {
    let lock = || LdlmRequest { handles: vec![1, 2], ..LdlmRequest::default() };
    let connect = |sepol| ConnectRequest {
        target: "MGS".into(),
        client_uuid: "7c0b1a3e-0000-4000-8000-0123456789ab".into(),
        callback_cookie: 1,
        data: ConnectData::default(),
        sepol,
    };
    let info = |nidlist| TargetInfo { nids: vec![0; 32], nidlist, ..TargetInfo::default() };
    let nids = vec!["10.0.0.1@tcp".to_owned(), "10.0.0.2@tcp".to_owned()];
    let reg = |nidlist, list| Request::TargetReg { info: info(nidlist), list };
    let list = |inline: Vec<String>| TargetNidList { flags: 0, count: 2, inline };
    // "lustre-client" and its NUL: 14 bytes.
    let open = |credentials| Request::LlogOpen {
        body: LlogdBody::default(),
        name: "lustre-client".into(),
        credentials,
    };
    let credentials = Some(Bytes::from_static(&[7; 216]));
    let llogd = LlogdBody { index: 3, ..LlogdBody::default() };
    let read = || Request::LlogRead(llogd.clone());
    let rows: [(u32, u32, Request, &[u32], usize); 21] = [
        (250, 26, Request::Connect(connect(Some(Bytes::new()))), &[184, 39, 39, 8, 192, 0], 520),
        (250, 26, Request::Connect(connect(None)), &[184, 39, 39, 8, 192], 520),
        (251, 26, Request::Empty, &[184], 224),
        (400, 26, Request::Empty, &[184], 224),
        (253, 26, reg(vec![], None), &[184, 4544], 4768),
        (253, 26, reg(nids.clone(), None), &[184, 4544 + 128], 4768 + 128),
        (253, 26, reg(vec![], Some(list(nids))), &[184, 4544, 8 + 128], 4784 + 128),
        (255, 26, Request::SetInfo("lustre.lov.stripesize=1".into()), &[184, 1024], 1248),
        (256, 26, Request::ConfigRead(ConfigBody::default()), &[184, 80], 304),
        (501, 26, open(credentials), &[184, 48, 14, 216], 496 + 16),
        (501, 26, open(None), &[184, 48, 14], 280 + 16),
        (502, 26, read(), &[184, 48], 272),
        (503, 26, read(), &[184, 48], 272),
        (508, 26, read(), &[184, 48], 272),
        (101, 26, Request::Enqueue(lock()), &[184, 104], 328),
        (103, 17, Request::Cancel(lock()), &[184, 104], 328),
        (104, 15, Request::Blocking(lock()), &[184, 104], 328),
        (105, 15, Request::Completion(lock(), Bytes::new()), &[184, 104, 0], 336),
        (106, 15, Request::Glimpse(lock(), Some(BarrierDesc::default())), &[184, 104, 64], 400),
        // Not of an MGS: other services leave out the descriptor.
        (106, 15, Request::Glimpse(lock(), None), &[184, 104], 328),
        (254, 26, Request::Other(vec![Bytes::from_static(b"what")]), &[184, 4], 232),
    ];
    for (opc, portal, content, buffers, total) in rows {
        let body = Body { msg_type: 4711, opc, ..Body::default() };
        check(&Rpc::Request { head: Head::default(), body, content }, portal, buffers, total);
    }
}

#[test]
fn replies() {
    let info = TargetInfo { nids: vec![0; 32], ..TargetInfo::default() };
    let longer = TargetInfo { nidlist: vec!["10.0.0.1@tcp".into()], ..info.clone() };
    let llogd = LlogdBody { len: 8192, ..LlogdBody::default() };
    let chunk = Bytes::from_static(&[5; 8192]);
    let enqueued = |lvb| Reply::Enqueue(LdlmReply { handle: 9, ..LdlmReply::default() }, lvb);
    let rows: [(u32, u32, Reply, &[u32], usize); 17] = [
        (250, 25, Reply::Connect(ConnectData::default()), &[184, 192], 416),
        (251, 25, Reply::Empty, &[184], 224),
        (400, 25, Reply::Empty, &[184], 224),
        (253, 25, Reply::TargetReg(info), &[184, 4544], 4768),
        (253, 25, Reply::TargetReg(longer), &[184, 4544 + 64], 4768 + 64),
        (256, 25, Reply::ConfigRead(ConfigRes { offset: 1, size_or_pass: 2 }), &[184, 16], 240),
        (501, 25, Reply::LlogOpen(llogd.clone()), &[184, 48], 272),
        (502, 25, Reply::LlogBlock(llogd.clone(), chunk.clone()), &[184, 48, 8192], 8472),
        (503, 25, Reply::LlogHeader(chunk.clone()), &[184, 8192], 8416),
        (508, 25, Reply::LlogBlock(llogd, chunk), &[184, 48, 8192], 8472),
        (101, 25, enqueued(Some(Bytes::new())), &[184, 112, 0], 344),
        (103, 18, Reply::Empty, &[184], 224),
        (104, 16, Reply::Empty, &[184], 224),
        (105, 16, Reply::Empty, &[184], 224),
        (106, 16, Reply::Glimpse(BarrierLvb { status: 1, index: 2, padding: 0 }), &[184, 16], 240),
        // Not of an MGS: an LVB of another size.
        (106, 16, Reply::Other(vec![Bytes::from_static(&[1; 56])]), &[184, 56], 280),
        (255, 25, Reply::Other(vec![Bytes::from_static(&[0; 1024])]), &[184, 1024], 1248),
    ];
    for (opc, portal, content, buffers, total) in rows {
        let body = Body { msg_type: 4713, opc, ..Body::default() };
        check(&Rpc::Reply { head: Head::default(), body, content }, portal, buffers, total);
    }
    // An error is a reply that is only a body, whatever the opcode.
    let body = Body { msg_type: 4712, opc: 256, status: -2, ..Body::default() };
    check(&Rpc::Reply { head: Head::default(), body, content: Reply::Empty }, 25, &[184], 224);
}

/// protocol/2: the flavor is the low 20 bits, the sender's part above.
#[test]
fn every_bit_of_a_flavor_is_refused_and_every_bit_of_the_senders_part_is_not() {
    for bit in 0..32 {
        let mut m = Message::new(&Body { msg_type: 4711, opc: 400, ..Body::default() }, Vec::new());
        m.secflvr = 1 << bit;
        assert_eq!(Rpc::decode_put(26, &m.to_bytes()).is_err(), bit < 20, "bit {bit}");
    }
}
