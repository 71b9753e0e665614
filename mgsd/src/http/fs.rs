//! Noun `fs`.

use axum::Json;
use axum::extract::State;
use mgs_api::{
    Change, FileSystem, List, PolicySwitch, Problem, RecoverySwitch, StartupTime, Writeconf, WriteconfSwitch,
};
use mgs_core::model::command::fs::Command;
use mgs_core::model::settings;

use super::answer::{Answer, Document, Name, Ordered, Shared};
use super::registration;

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

/// Imperative recovery on or off.
#[utoipa::path(put, path = "/v1/fs/{name}/recovery", tag = "fs", operation_id = "fs_recovery",
    request_body = RecoverySwitch,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn recovery(
    State(mgs): State<Shared>,
    Name(fs): Name,
    by: Ordered,
    Document(to): Document<RecoverySwitch>,
) -> Answer<Change> {
    by.change(&mgs, Command::Recovery { fs, off: !to.enabled }).await
}

/// Notifications of readers of the NID table are counted from zero again.
#[utoipa::path(post, path = "/v1/fs/{name}/recovery/reset", tag = "fs", operation_id = "fs_recovery_reset",
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn recovery_reset(State(mgs): State<Shared>, Name(fs): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::ForgetNotified { fs }).await
}

/// How long file systems stay in `startup` of imperative recovery after the start of this daemon; until it ends.
#[utoipa::path(put, path = "/v1/recovery/startup", tag = "fs", operation_id = "fs_startup",
    request_body = StartupTime,
    params(("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing")),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn startup(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<StartupTime>,
) -> Answer<Change> {
    by.change(&mgs, Command::Startup { seconds: to.seconds }).await
}

/// What happens to targets that nobody knows.
#[utoipa::path(put, path = "/v1/fs/{name}/policy", tag = "fs", operation_id = "fs_policy",
    request_body = PolicySwitch,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn policy(
    State(mgs): State<Shared>,
    Name(fs): Name,
    by: Ordered,
    Document(to): Document<PolicySwitch>,
) -> Answer<Change> {
    by.change(&mgs, Command::Policy { fs, policy: registration::policy(to.policy) }).await
}

/// What a writeconf does to settings and pools.
#[utoipa::path(put, path = "/v1/fs/{name}/writeconf", tag = "fs", operation_id = "fs_writeconf",
    request_body = WriteconfSwitch,
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn writeconf(
    State(mgs): State<Shared>,
    Name(fs): Name,
    by: Ordered,
    Document(to): Document<WriteconfSwitch>,
) -> Answer<Change> {
    let writeconf = match to.writeconf {
        Writeconf::Reapply => settings::Writeconf::Reapply,
        Writeconf::Wipe => settings::Writeconf::Wipe,
        Writeconf::Ask => settings::Writeconf::Ask,
    };
    by.change(&mgs, Command::Writeconf { fs, writeconf }).await
}

/// Lets one writeconf of MDT0000 erase what nodes have mounted, within the hour.
#[utoipa::path(post, path = "/v1/fs/{name}/approve-writeconf", tag = "fs", operation_id = "fs_approve_writeconf",
    params(
        ("name" = String, Path, description = "the Lustre fsname"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn approve_writeconf(
    State(mgs): State<Shared>,
    Name(fs): Name,
    by: Ordered,
) -> Answer<Change> {
    by.change(&mgs, Command::ApproveWriteconf { fs }).await
}
