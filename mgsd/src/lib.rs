//! The userspace MGS daemon
