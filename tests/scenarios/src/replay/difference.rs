//! What mgsd did otherwise than the recorded MGS.
use std::fmt;
use std::time::Duration;

/// One field, or one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Stage of the session.
    pub stage: String,
    /// When it was captured, since the Unix epoch; zero where it was not.
    pub time: Duration,
    /// Message, with the peer.
    pub what: String,
    /// Field.
    pub place: String,
    /// What the recorded MGS said.
    pub kernel: String,
    /// What mgsd says.
    pub ours: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, time, what, place, kernel, ours } = self;
        write!(f, "{stage}")?;
        if !time.is_zero() {
            write!(f, " at {:.6}", time.as_secs_f64())?;
        }
        write!(f, ": {what}: {place}\n    kernel {kernel}\n    mgsd   {ours}")
    }
}
