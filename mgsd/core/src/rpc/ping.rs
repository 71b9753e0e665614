//! OBD_PING (400): the export is alive. MGS_TARGET_DEL (254) is answered alike: the kernel counts it and does nothing.

use crate::engine::{Answer, Step};

/// Status 0, body only.
pub(crate) fn ping() -> Step {
    Step::Reply(Answer::ok(Vec::new()))
}
