//! The MGS itself, sans-IO: ptlrpc, exports, config locks, model
