//! Peers and connections of an LNet leaf node as pure state machines
