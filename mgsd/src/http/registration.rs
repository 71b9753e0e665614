//! Noun `registration`, and the rules behind it.

use axum::Json;
use axum::extract::State;
use mgs_api::{
    Approval, BindingChange, BindingMode, Change, List, PolicySwitch, Problem, ProblemKind, Registration,
    RegistrationPolicy, RegistrationRules,
};
use mgs_core::model::command::registration::{Bind, Command};
use mgs_core::model::rules::{Mode, Policy};
use wire::Nid;

use super::answer::{Answer, Document, Name, Ordered, Refusal, Shared};

/// Who waits, who was refused, who may come.
#[utoipa::path(get, path = "/v1/registrations", tag = "registration", operation_id = "registration_list",
    responses(
        (status = 200, description = "targets that are not registered", body = List<Registration>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>) -> Answer<List<Registration>> {
    Ok(Json(mgs.registrations().await?))
}

/// Lets a target in, once: the one that waits, or the next one that comes.
#[utoipa::path(post, path = "/v1/registrations/{name}/approve", tag = "registration",
    operation_id = "registration_approve", request_body = Approval,
    params(
        ("name" = String, Path, description = "the target, such as testfs-OST0004"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn approve(
    State(mgs): State<Shared>,
    Name(target): Name,
    by: Ordered,
    Document(approval): Document<Approval>,
) -> Answer<Change> {
    by.change(&mgs, Command::Approve { target, from: nids(&approval.from)? }).await
}

/// Refuses a target until it is approved or forgotten.
#[utoipa::path(post, path = "/v1/registrations/{name}/refuse", tag = "registration",
    operation_id = "registration_refuse",
    params(
        ("name" = String, Path, description = "the target, such as testfs-OST0004"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn refuse(State(mgs): State<Shared>, Name(target): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Refuse { target }).await
}

/// Takes back what was said of a target.
#[utoipa::path(delete, path = "/v1/registrations/{name}", tag = "registration",
    operation_id = "registration_forget",
    params(
        ("name" = String, Path, description = "the target, such as testfs-OST0004"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn forget(State(mgs): State<Shared>, Name(target): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Forget { target }).await
}

/// What holds for all file systems.
#[utoipa::path(get, path = "/v1/registration-rules", tag = "registration", operation_id = "registration_rules",
    responses(
        (status = 200, description = "the rules", body = RegistrationRules),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rules(State(mgs): State<Shared>) -> Answer<RegistrationRules> {
    Ok(Json(mgs.registration_rules().await?))
}

/// The policy of file systems to come.
#[utoipa::path(put, path = "/v1/registration-rules/default", tag = "registration",
    operation_id = "registration_default", request_body = PolicySwitch,
    params(("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing")),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn default(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<PolicySwitch>,
) -> Answer<Change> {
    by.change(&mgs, Command::Default(policy(to.policy))).await
}

/// Binds claimed NIDs to addresses, of nodes that come over a network.
#[utoipa::path(put, path = "/v1/registration-rules/networks/{name}", tag = "registration",
    operation_id = "registration_bind", request_body = BindingChange,
    params(
        ("name" = String, Path, description = "the LNet network, such as tcp"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn bind(
    State(mgs): State<Shared>,
    Name(net): Name,
    by: Ordered,
    Document(to): Document<BindingChange>,
) -> Answer<Change> {
    let mode = match to.mode {
        BindingMode::Off => Mode::Off,
        BindingMode::Log => Mode::Log,
        BindingMode::Enforce => Mode::Enforce,
    };
    let nodes = to.nodes.iter().map(|node| nids(node)).collect::<Result<_, _>>()?;
    let bind = Bind { net, mode, nodes, routers: nids(&to.routers)?, reset: to.reset };
    by.change(&mgs, Command::Bind(bind)).await
}

/// A policy as the core names it.
pub(super) const fn policy(policy: RegistrationPolicy) -> Policy {
    match policy {
        RegistrationPolicy::Open => Policy::Open,
        RegistrationPolicy::Approve => Policy::Approve,
        RegistrationPolicy::Closed => Policy::Closed,
    }
}

/// NIDs from their texts.
pub(super) fn nids(texts: &[String]) -> Result<Vec<Nid>, Refusal> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            Problem::new(ProblemKind::Malformed, format!("NID {text:?}"), "is not a NID")
                .allowed("numeric addresses such as 10.0.0.2@tcp or fd00::2@tcp1")
                .into()
        })
    };
    texts.iter().map(parse).collect()
}
