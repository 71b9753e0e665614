//! Noun `target`.

use axum::Json;
use axum::extract::State;
use mgs_api::{List, Problem, Target};
use serde::Deserialize;

use super::answer::{Answer, Filter, Name, Shared};

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
