//! Command line for mgsd
