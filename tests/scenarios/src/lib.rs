//! End-to-end tests against mgsd
