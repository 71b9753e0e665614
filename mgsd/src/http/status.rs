//! Noun `status`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Problem, Status};

use super::answer::{Answer, Shared};

/// The daemon itself: identity, readiness, store, counters.
#[utoipa::path(get, path = "/v1/status", tag = "status", operation_id = "status", responses(
    (status = 200, description = "the daemon", body = Status),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(mgs): State<Shared>) -> Answer<Status> {
    Ok(Json(mgs.status().await?))
}
