//! One fuzz target per decoder, replayed by plain tests
