//! MGS_SET_INFO (255): practically never sent. Three `lov` settings were ever accepted, without effect.

use crate::Errno;
use crate::engine::{Answer, Step};
use crate::error::{Error, Result};
use bytes::Bytes;
use wire::ptlrpc::Message;

const LENGTH: usize = 1024;

/// Echoes what the kernel accepts, refuses the rest.
pub(crate) fn set_info(message: &Message) -> Result<Step> {
    let text = message.buffer(1)?.cstr("mgs_param", LENGTH)?;
    let harmless = [".lov.stripesize=", ".lov.stripecount=", ".lov.stripeoffset="];
    if !harmless.iter().any(|name| text.contains(name)) {
        return Err(Error::Unsupported {
            what: format!("MGS_SET_INFO '{}'; use mgsctl", text.escape_default()),
            errno: Errno::EINVAL,
        });
    }
    let mut echo = text.into_bytes();
    echo.resize(LENGTH, 0);
    Ok(Step::Reply(Answer::ok(vec![Bytes::from(echo)])))
}
