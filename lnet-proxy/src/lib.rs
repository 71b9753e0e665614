//! Terminates LNet over TCP and passes MGS messages to mgsd
