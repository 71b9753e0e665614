//! Noun `barrier`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Barrier, Change, FreezeBarrier, Problem};
use mgs_core::model::command::barrier::{Action, Command};

use super::answer::{Answer, Document, Name, Ordered, Shared};

/// The write barrier of a file system.
#[utoipa::path(get, path = "/v1/fs/{name}/barrier", tag = "barrier", operation_id = "barrier_stat",
    params(("name" = String, Path, description = "the Lustre fsname")),
    responses(
        (status = 200, description = "the barrier", body = Barrier),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn stat(State(mgs): State<Shared>, Name(fs): Name) -> Answer<Barrier> {
    Ok(Json(mgs.barrier(&fs).await?))
}

/// Sets up a write barrier; answered when every MDT is frozen, or it has failed.
#[utoipa::path(post, path = "/v1/fs/{name}/barrier/freeze", tag = "barrier", operation_id = "barrier_freeze",
    request_body = FreezeBarrier,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn freeze(
    State(mgs): State<Shared>,
    Name(fs): Name,
    by: Ordered,
    Document(how): Document<FreezeBarrier>,
) -> Answer<Change> {
    by.change(&mgs, Command { fs, action: Action::Freeze { timeout: how.timeout } }).await
}

/// Lifts a write barrier.
#[utoipa::path(post, path = "/v1/fs/{name}/barrier/thaw", tag = "barrier", operation_id = "barrier_thaw",
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn thaw(State(mgs): State<Shared>, Name(fs): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command { fs, action: Action::Thaw }).await
}

/// Counts the MDTs; those that do not answer do not count from now on.
#[utoipa::path(post, path = "/v1/fs/{name}/barrier/rescan", tag = "barrier", operation_id = "barrier_rescan",
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rescan(State(mgs): State<Shared>, Name(fs): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command { fs, action: Action::Rescan }).await
}
