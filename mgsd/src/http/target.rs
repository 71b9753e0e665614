//! Noun `target`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, List, MoveTarget, Problem, Target};
use mgs_core::model::command::{log, nids};
use serde::Deserialize;

use super::answer::{Answer, Document, Filter, Name, Ordered, Shared};

/// Which targets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// All targets, or those of one file system.
#[utoipa::path(get, path = "/v1/targets", tag = "target", operation_id = "target_list",
    params(("fs" = Option<String>, Query, description = "only those of this file system")),
    responses(
        (status = 200, description = "the targets", body = List<Target>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>, Filter(which): Filter<Which>) -> Answer<List<Target>> {
    Ok(Json(mgs.targets(which.fs.as_deref()).await?))
}

/// One target.
#[utoipa::path(get, path = "/v1/targets/{name}", tag = "target", operation_id = "target_show",
    params(("name" = String, Path, description = "the Lustre name, such as testfs-OST0000")),
    responses(
        (status = 200, description = "the target", body = Target),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(mgs): State<Shared>, Name(name): Name) -> Answer<Target> {
    Ok(Json(mgs.target(&name).await?))
}

/// Takes an OST out of the logs of clients and MDTs: mounts to come do not see it.
#[utoipa::path(delete, path = "/v1/targets/{name}", tag = "target", operation_id = "target_remove",
    params(
        ("name" = String, Path, description = "the Lustre name, such as testfs-OST0000"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn remove(State(mgs): State<Shared>, Name(target): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, log::Command::DelOst { target }).await
}

/// Moves a target to other NIDs.
#[utoipa::path(put, path = "/v1/targets/{name}/nids", tag = "target", operation_id = "target_replace_nids",
    request_body = MoveTarget,
    params(
        ("name" = String, Path, description = "the Lustre name, such as testfs-OST0000"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn replace_nids(
    State(mgs): State<Shared>,
    Name(target): Name,
    by: Ordered,
    Document(to): Document<MoveTarget>,
) -> Answer<Change> {
    by.change(&mgs, nids::Command { target, nids: to.nids, rewrite: to.rewrite }).await
}
