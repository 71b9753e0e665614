//! Lustre parameters.
mod automaton;
pub mod entry;
pub mod version;
