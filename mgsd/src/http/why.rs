//! Noun `why`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Decision, List, Problem};

use super::answer::{Answer, Name, Shared};

/// What was decided on a node (by NID), a target or a log.
#[utoipa::path(get, path = "/v1/why/{subject}", tag = "client", operation_id = "why",
    params(("subject" = String, Path, description = "a NID, a target or a log, such as testfs-OST0000")),
    responses(
        (status = 200, description = "the last decisions, oldest first", body = List<Decision>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(mgs): State<Shared>, Name(subject): Name) -> Answer<List<Decision>> {
    Ok(Json(mgs.why(&subject).await?))
}
