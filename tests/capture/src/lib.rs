//! Golden packet captures as TCP streams
