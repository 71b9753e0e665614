//! Noun `param`.

use axum::Json;
use axum::extract::State;
use mgs_api::{
    Change, ChangeReach, EffectiveParam, List, ParamAssignment, ParamEvent, ParamInForce, ParamPolicy,
    ParamSyntax, Problem, ProgramSwitch, Programs, Validation,
};
use mgs_core::model::command::param::{Command, Syntax};
use mgs_core::model::settings;
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

/// Which parameter of what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// File system or target.
    target: String,
    /// Name.
    name: String,
}

/// What nodes are told of a parameter: which assignment holds, which it hides, since when, by whom.
#[utoipa::path(get, path = "/v1/params/effective", tag = "param", operation_id = "param_effective",
    params(
        ("target" = String, Query, description = "testfs, or testfs-OST0000, which need not have registered"),
        ("name" = String, Query, description = "osc.max_dirty_mb, osc.*.max_dirty_mb, or timeout"),
    ),
    responses(
        (status = 200, description = "the answer", body = EffectiveParam),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn effective(
    State(mgs): State<Shared>,
    Filter(of): Filter<Question>,
) -> Answer<EffectiveParam> {
    Ok(Json(mgs.param_effective(&of.target, &of.name).await?))
}

/// A name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// It.
    name: String,
}

/// Changes of a parameter that the chain of commits still has, oldest first.
#[utoipa::path(get, path = "/v1/params/history", tag = "param", operation_id = "param_history",
    params(
        ("name" = String, Query, description = "testfs-OST0000.osc.max_dirty_mb, osc.*.max_dirty_mb, or osc.max_dirty_mb of any target"),
    ),
    responses(
        (status = 200, description = "the answer", body = List<ParamEvent>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn history(
    State(mgs): State<Shared>,
    Filter(of): Filter<Named>,
) -> Answer<List<ParamEvent>> {
    Ok(Json(mgs.param_history(&of.name).await?))
}

/// A commit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    /// Its number.
    seq: Option<u64>,
}

/// Which nodes have fetched past a commit.
#[utoipa::path(get, path = "/v1/params/status", tag = "param", operation_id = "param_status",
    params(
        ("seq" = Option<u64>, Query, description = "the commit; by default the last one that wrote to a log"),
    ),
    responses(
        (status = 200, description = "the answer", body = ChangeReach),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn status(State(mgs): State<Shared>, Filter(of): Filter<Since>) -> Answer<ChangeReach> {
    Ok(Json(mgs.param_status(of.seq).await?))
}

/// Whether wrong assignments are refused.
#[utoipa::path(get, path = "/v1/params/policy", tag = "param", operation_id = "param_policy",
    responses(
        (status = 200, description = "the answer", body = ParamPolicy),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn policy(State(mgs): State<Shared>) -> Answer<ParamPolicy> {
    Ok(Json(mgs.param_policy().await?))
}

/// Sets whether wrong assignments are refused.
#[utoipa::path(put, path = "/v1/params/policy", tag = "param", operation_id = "param_set_policy",
    request_body = ParamPolicy,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn set_policy(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<ParamPolicy>,
) -> Answer<Change> {
    let validation = match to.validation {
        Validation::Enforce => settings::Validation::Enforce,
        Validation::Warn => settings::Validation::Warn,
    };
    by.change(&mgs, Command::Validation(validation)).await
}

/// Programs that nodes may be told to run.
#[utoipa::path(get, path = "/v1/params/programs", tag = "param", operation_id = "param_programs",
    responses(
        (status = 200, description = "the answer", body = Programs),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn programs(State(mgs): State<Shared>) -> Answer<Programs> {
    Ok(Json(mgs.param_programs().await?))
}

/// Allows a program, or takes that back; for root alone.
#[utoipa::path(put, path = "/v1/params/programs", tag = "param", operation_id = "param_allow",
    request_body = ProgramSwitch,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn allow(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<ProgramSwitch>,
) -> Answer<Change> {
    by.change(&mgs, Command::Program { program: to.program, allowed: to.allowed }).await
}
