//! Noun `fs`.

use axum::Json;
use axum::extract::State;
use mgs_api::{FileSystem, List, Problem};

use super::answer::{Answer, Name, Shared};

/// All file systems.
#[utoipa::path(get, path = "/v1/fs", tag = "fs", operation_id = "fs_list", responses(
    (status = 200, description = "all file systems", body = List<FileSystem>),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>) -> Answer<List<FileSystem>> {
    Ok(Json(mgs.fs_list().await?))
}

/// One file system.
#[utoipa::path(get, path = "/v1/fs/{name}", tag = "fs", operation_id = "fs_show",
    params(("name" = String, Path, description = "the Lustre fsname")),
    responses(
        (status = 200, description = "the file system", body = FileSystem),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(mgs): State<Shared>, Name(name): Name) -> Answer<FileSystem> {
    Ok(Json(mgs.fs(&name).await?))
}
