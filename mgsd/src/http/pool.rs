//! Noun `pool`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, List, NewPool, Pool, PoolMembers, Problem};
use mgs_core::model::command::pool::{Action, Command, Members};
use serde::Deserialize;

use super::answer::{Answer, Document, Filter, Name, Ordered, Shared};

/// Which of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// Pools with their members.
#[utoipa::path(get, path = "/v1/pools", tag = "pool", operation_id = "pool_list",
    params(
        ("fs" = Option<String>, Query, description = "only those of this file system"),
    ),
    responses(
        (status = 200, description = "the answer", body = List<Pool>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>, Filter(which): Filter<Which>) -> Answer<List<Pool>> {
    Ok(Json(mgs.pools(which.fs.as_deref()).await?))
}

/// Makes a pool.
#[utoipa::path(post, path = "/v1/pools", tag = "pool", operation_id = "pool_new",
    request_body = NewPool,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn new(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(new): Document<NewPool>,
) -> Answer<Change> {
    by.change(&mgs, Command::new(&new.pool, Action::New)).await
}

/// Destroys an empty pool.
#[utoipa::path(delete, path = "/v1/pools/{name}", tag = "pool", operation_id = "pool_destroy",
    params(
        ("name" = String, Path, description = "FS.POOL"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn destroy(State(mgs): State<Shared>, Name(name): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::new(&name, Action::Destroy)).await
}

/// Adds OSTs to a pool, all or none.
#[utoipa::path(post, path = "/v1/pools/{name}/members", tag = "pool", operation_id = "pool_add",
    request_body = PoolMembers,
    params(
        ("name" = String, Path, description = "FS.POOL"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn add(
    State(mgs): State<Shared>,
    Name(name): Name,
    by: Ordered,
    Document(members): Document<PoolMembers>,
) -> Answer<Change> {
    by.change(&mgs, Command::new(&name, Action::Add(Members::Named(members.osts)))).await
}

/// Removes OSTs from a pool, all or none.
#[utoipa::path(delete, path = "/v1/pools/{name}/members", tag = "pool", operation_id = "pool_remove",
    request_body = PoolMembers,
    params(
        ("name" = String, Path, description = "FS.POOL"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    State(mgs): State<Shared>,
    Name(name): Name,
    by: Ordered,
    Document(members): Document<PoolMembers>,
) -> Answer<Change> {
    by.change(&mgs, Command::new(&name, Action::Remove(Members::Named(members.osts)))).await
}
