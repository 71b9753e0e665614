//! Types and typed client of mgsd's HTTP API
