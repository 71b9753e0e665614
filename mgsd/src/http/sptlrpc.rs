//! Noun `sptlrpc`.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, List, Problem, SecurityRule, SecurityRuleChange};
use mgs_core::model::command::sptlrpc::Command;
use serde::Deserialize;

use super::answer::{Answer, Document, Filter, Ordered, Shared};

/// Which of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// Security rules in force, in the order in which nodes look for them.
#[utoipa::path(get, path = "/v1/sptlrpc", tag = "sptlrpc", operation_id = "sptlrpc_list",
    params(
        ("fs" = Option<String>, Query, description = "only those of this file system"),
    ),
    responses(
        (status = 200, description = "the answer", body = List<SecurityRule>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(mgs): State<Shared>,
    Filter(which): Filter<Which>,
) -> Answer<List<SecurityRule>> {
    Ok(Json(mgs.security_rules(which.fs.as_deref()).await?))
}

/// Sets a security rule; without a flavor it is taken away.
#[utoipa::path(put, path = "/v1/sptlrpc", tag = "sptlrpc", operation_id = "sptlrpc_set",
    request_body = SecurityRuleChange,
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
    Document(to): Document<SecurityRuleChange>,
) -> Answer<Change> {
    by.change(&mgs, Command { device: to.device, rule: to.rule, flavor: to.flavor }).await
}
