//! Noun `fs`: a whole file system under another name, or gone.

use axum::extract::State;
use mgs_api::{Change, NewName, Problem};
use mgs_core::model::command::fork::Command;

use super::answer::{Answer, Document, Name, Ordered, Shared};

/// Copies logs and targets under another name, as a snapshot needs them.
#[utoipa::path(post, path = "/v1/fs/{name}/fork", tag = "fs", operation_id = "fs_fork",
    request_body = NewName,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn fork(
    State(mgs): State<Shared>,
    Name(from): Name,
    by: Ordered,
    Document(new): Document<NewName>,
) -> Answer<Change> {
    by.change(&mgs, Command::Fork { from, to: new.to }).await
}

/// Gives a file system another name; nobody may be connected.
#[utoipa::path(post, path = "/v1/fs/{name}/rename", tag = "fs", operation_id = "fs_rename",
    request_body = NewName,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rename(
    State(mgs): State<Shared>,
    Name(from): Name,
    by: Ordered,
    Document(new): Document<NewName>,
) -> Answer<Change> {
    by.change(&mgs, Command::Rename { from, to: new.to }).await
}

/// Erases a file system with its logs, targets and settings; nobody may be connected.
#[utoipa::path(delete, path = "/v1/fs/{name}", tag = "fs", operation_id = "fs_erase",
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn erase(State(mgs): State<Shared>, Name(fs): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Erase { fs }).await
}
