//! Noun `param`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, List, ParamAssignment, ParamInForce, ParamSyntax, Problem};
use mgs_core::model::command::param::{Command, Syntax};
use serde::Deserialize;

use super::answer::{Answer, Document, Filter, Ordered, Shared};

/// Which of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// Parameters in force: what a node that mounts now is told.
#[utoipa::path(get, path = "/v1/params", tag = "param", operation_id = "param_list",
    params(
        ("fs" = Option<String>, Query, description = "only those of this file system"),
    ),
    responses(
        (status = 200, description = "the answer", body = List<ParamInForce>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(mgs): State<Shared>,
    Filter(which): Filter<Which>,
) -> Answer<List<ParamInForce>> {
    Ok(Json(mgs.params(which.fs.as_deref()).await?))
}

/// Sets a parameter.
#[utoipa::path(put, path = "/v1/params", tag = "param", operation_id = "param_set",
    request_body = ParamAssignment,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn set(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<ParamAssignment>,
) -> Answer<Change> {
    by.change(&mgs, command(to, false)).await
}

/// Takes a parameter away: mounts to come see the default.
#[utoipa::path(delete, path = "/v1/params", tag = "param", operation_id = "param_unset",
    request_body = ParamAssignment,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn unset(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(what): Document<ParamAssignment>,
) -> Answer<Change> {
    by.change(&mgs, command(what, true)).await
}

fn command(of: ParamAssignment, delete: bool) -> Command {
    let syntax = of.syntax.map(|syntax| match syntax {
        ParamSyntax::ConfParam => Syntax::ConfParam,
        ParamSyntax::SetParam => Syntax::SetParam,
    });
    Command::Assign { text: of.assignment, syntax, delete, force: of.force, wait: of.wait }
}
