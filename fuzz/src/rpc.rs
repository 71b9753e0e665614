//! ptlrpc messages, and the RPCs of an MGS as typed values.
use crate::input::{Input, order};
use bytes::Bytes;
use wire::ptlrpc::{Body, ConnectRequest, Message, early_checksum, msg_type, opc};
use wire::rpc::Rpc;
use wire::{Codec, Order, Result};

/// Header, buffers, body.
pub fn ptlrpc_message(data: &[u8]) {
    let Ok(message) = Message::decode(&Bytes::copy_from_slice(data)) else { return };
    assert!(message.buffers.iter().map(Bytes::len).sum::<usize>() <= data.len());
    let bytes = message.to_bytes();
    assert_eq!(bytes.len(), message.wire_len());
    assert_eq!(Message::decode(&bytes).as_ref(), Ok(&message));
    early_checksum(&message.buffers[0]);
    if let Ok(body) = message.body() {
        let bytes = body.to_vec(message.order);
        assert_eq!(bytes.len(), Body::SIZE);
        assert_eq!(Body::from_slice(&bytes, message.order), Ok(body));
    }
}

/// A connect request, whatever opcode its body has.
pub fn ptlrpc_connect(data: &[u8]) {
    let Ok(message) = Message::decode(&Bytes::copy_from_slice(data)) else { return };
    let Ok(connect) = ConnectRequest::from_message(&message) else { return };
    let once = again(&message, &connect);
    // A uuid may have come in a longer buffer than the one that is written.
    assert_eq!(again(&message, &once), once);
    if connect.target.len() < 39 && connect.client_uuid.len() < 39 {
        assert_eq!(once, connect);
    }
}

fn again(message: &Message, connect: &ConnectRequest) -> ConnectRequest {
    let mut buffers = vec![message.buffers[0].clone()];
    buffers.extend(connect.to_buffers(message.order));
    ConnectRequest::from_message(&Message { buffers, ..message.clone() }).expect("was written just now")
}

/// Portals by the first byte of the input: all of an MGS, and one of another service.
pub const PORTALS: [u32; 9] = [26, 25, 17, 18, 15, 16, 33, 0, 12];

/// Payload of a PUT: `[portal, see PORTALS] payload`.
pub fn rpc_put(data: &[u8]) {
    let mut input = Input(data);
    let portal = PORTALS[usize::from(input.u8()) % PORTALS.len()];
    stable(input.0, |bytes| Rpc::decode_put(portal, bytes));
}

/// Payload of a REPLY.
pub fn rpc_reply(data: &[u8]) {
    stable(data, Rpc::decode_reply);
}

/// What was read can be read again, and then gives the same bytes.
fn stable(data: &[u8], decode: impl Fn(&Bytes) -> Result<Rpc>) {
    let Ok(rpc) = decode(&Bytes::copy_from_slice(data)) else { return };
    let bytes = rpc.to_bytes();
    let second = decode(&bytes).unwrap_or_else(|e| panic!("cannot be read again: {e}: {rpc:?}"));
    assert_eq!(second.to_bytes(), bytes, "{rpc:?}");
    assert_eq!(second.body(), rpc.body());
}

/// Opcodes by the first byte of a script; also those of `engine_ops`.
pub const OPCODES: [u32; 19] = [
    opc::MGS_CONNECT,
    opc::MGS_DISCONNECT,
    opc::MGS_EXCEPTION,
    opc::MGS_TARGET_REG,
    opc::MGS_TARGET_DEL,
    opc::MGS_SET_INFO,
    opc::MGS_CONFIG_READ,
    opc::OBD_PING,
    opc::LDLM_ENQUEUE,
    opc::LDLM_CONVERT,
    opc::LDLM_CANCEL,
    opc::LDLM_BL_CALLBACK,
    opc::LDLM_CP_CALLBACK,
    opc::LDLM_GL_CALLBACK,
    opc::LLOG_ORIGIN_HANDLE_CREATE,
    opc::LLOG_ORIGIN_HANDLE_NEXT_BLOCK,
    opc::LLOG_ORIGIN_HANDLE_READ_HEADER,
    opc::LLOG_ORIGIN_HANDLE_PREV_BLOCK,
    opc::SEC_CTX_INIT,
];

/// A well-formed message with any content in any number of buffers.
///
/// ```text
/// opcode (see OPCODES) | bit 0: big endian, bit 1: reply, bit 2: error | buffers
/// buffer: u16 length | u16 n | n bytes, filled with zeros up to the length
/// ```
pub fn rpc_buffers(data: &[u8]) {
    let mut input = Input(data);
    let opc = OPCODES[usize::from(input.u8()) % OPCODES.len()];
    let choice = input.u8();
    let order = order(choice);
    let msg_type = match choice & 6 {
        0 => msg_type::REQUEST,
        2 => msg_type::REPLY,
        _ => msg_type::ERR,
    };
    let body = Body { opc, msg_type, ..Body::default() };
    let bytes = message(&body, order, buffers(&mut input, 32)).to_bytes();
    ptlrpc_message(&bytes);
    ptlrpc_connect(&bytes);
    stable(&bytes, |bytes| Rpc::decode_put(26, bytes));
}

/// Buffers of a script, up to its end or `most` of them.
pub(crate) fn buffers(input: &mut Input<'_>, most: usize) -> Vec<Bytes> {
    let mut list = Vec::new();
    while !input.is_empty() && list.len() < most {
        let length = usize::from(input.u16());
        let mut buffer = input.part().to_vec();
        buffer.resize(length.max(buffer.len()), 0);
        list.push(buffer.into());
    }
    list
}

/// A message from body and buffers that are already in the order.
pub(crate) fn message(body: &Body, order: Order, rest: Vec<Bytes>) -> Message {
    let mut buffers = vec![Bytes::from(body.to_vec(order))];
    buffers.extend(rest);
    Message { order, buffers, ..Message::new(body, Vec::new()) }
}
