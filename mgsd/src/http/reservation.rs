//! Reserved indices.

use axum::Json;
use axum::extract::State;
use mgs_api::{Change, List, Problem, Reservation, Reserve, TargetKind};
use mgs_core::model;
use mgs_core::model::command::reservation::{self, Command};
use serde::Deserialize;

use super::answer::{Answer, Document, Filter, Name, Ordered, Shared};
use super::registration::nids;

/// Which of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those of this file system.
    fs: Option<String>,
}

/// Reserved indices: all, or those of one file system, which need not exist.
#[utoipa::path(get, path = "/v1/reservations", tag = "target", operation_id = "reservation_list",
    params(("fs" = Option<String>, Query, description = "only those of this file system")),
    responses(
        (status = 200, description = "the reservations", body = List<Reservation>),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(mgs): State<Shared>,
    Filter(which): Filter<Which>,
) -> Answer<List<Reservation>> {
    Ok(Json(mgs.reservations(which.fs.as_deref()).await?))
}

/// Reserves the lowest free indices; the events of the answer name them.
#[utoipa::path(post, path = "/v1/reservations", tag = "target", operation_id = "reserve",
    request_body = Reserve,
    params(("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing")),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn reserve(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(what): Document<Reserve>,
) -> Answer<Change> {
    let Reserve { fs, kind, count, expires, by: note, nids: texts } = what;
    let kind = match kind {
        TargetKind::Mdt => model::TargetKind::Mdt,
        TargetKind::Ost => model::TargetKind::Ost,
    };
    let nids = nids(&texts)?;
    let reserve = reservation::Reserve { fs, kind, count, expires, by: note, nids };
    by.change(&mgs, Command::Reserve(reserve)).await
}

/// Lets a reserved index go.
#[utoipa::path(delete, path = "/v1/reservations/{name}", tag = "target", operation_id = "unreserve",
    params(
        ("name" = String, Path, description = "the target to come, such as testfs-OST0004"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn unreserve(State(mgs): State<Shared>, Name(target): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Unreserve { target }).await
}
