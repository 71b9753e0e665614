//! Noun `audit`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Chain, Commit, List, Problem};
use serde::Deserialize;

use super::answer::{Answer, Filter, Shared};

/// Most commits in one answer.
const LIMIT: u32 = 10_000;

/// Which commits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those above this number.
    #[serde(default)]
    after: u64,
    /// At most so many.
    limit: Option<u32>,
}

/// Commits in order: who changed what.
#[utoipa::path(get, path = "/v1/commits", tag = "audit", operation_id = "audit_list",
    params(
        ("after" = Option<u64>, Query, description = "only those above this number"),
        ("limit" = Option<u32>, Query, description = "at most so many; 10000 at a time"),
    ),
    responses(
        (status = 200, description = "the commits", body = List<Commit>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>, Filter(which): Filter<Which>) -> Answer<List<Commit>> {
    Ok(Json(mgs.commits(which.after, which.limit.unwrap_or(100).min(LIMIT)).await?))
}

/// Whether each commit carries the hash of the one before it.
#[utoipa::path(get, path = "/v1/commits/chain", tag = "audit", operation_id = "audit_verify", responses(
    (status = 200, description = "what was found", body = Chain),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn verify(State(mgs): State<Shared>) -> Answer<Chain> {
    Ok(Json(mgs.commit_chain().await?))
}
