//! Routes over a real Unix socket, asked by the typed client.
