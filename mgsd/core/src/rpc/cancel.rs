//! LDLM_CANCEL (103), on its own portal: names locks by server cookie.

use crate::engine::{Answer, Engine, ReqId, Step};
use crate::error::Result;
use wire::Codec;
use wire::ldlm::LdlmRequest;
use wire::ptlrpc::Message;

/// Lets go of locks. Unknown and foreign cookies are skipped.
pub(crate) fn cancel(engine: &mut Engine, id: ReqId, message: &Message) -> Result<Step> {
    let mut buffer = message.buffer(1)?;
    let request = LdlmRequest::decode(&mut buffer)?;
    if let Some(export) = engine.in_service(id)?.export {
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        request.handles.iter().take(count).for_each(|cookie| engine.let_go(export, *cookie));
    }
    Ok(Step::Reply(Answer::ok(Vec::new())))
}
