//! Noun `nodemap`.

use axum::Json;
use axum::extract::{Request, State};
use mgs_api::{
    Change, Nodemap, NodemapEdit, NodemapEdits, NodemapIdKind, NodemapTest, Nodemaps, Problem, ProblemKind,
};
use mgs_core::model::command::nodemap::{Action, Command, Edit};
use serde::Deserialize;
use wire::nodemap::IdKind;

use super::answer::{Answer, Filter, Name, Ordered, Refusal, Shared};

/// Largest batch, bytes: tens of thousands of nodemaps.
const BATCH_MAX: usize = 64 << 20;

/// What is asked of a NID.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// NID of a client.
    nid: String,
    /// Which id.
    kind: Option<NodemapIdKind>,
    /// Id on the client.
    id: Option<u32>,
}

/// All nodemaps in short.
#[utoipa::path(get, path = "/v1/nodemaps", tag = "nodemap", operation_id = "nodemap_list",
    responses(
        (status = 200, description = "the answer", body = Nodemaps),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>) -> Answer<Nodemaps> {
    Ok(Json(mgs.nodemaps().await?))
}

/// One nodemap.
#[utoipa::path(get, path = "/v1/nodemaps/{name}", tag = "nodemap", operation_id = "nodemap_show",
    params(("name" = String, Path, description = "its name")),
    responses(
        (status = 200, description = "the answer", body = Nodemap),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(mgs): State<Shared>, Name(name): Name) -> Answer<Nodemap> {
    Ok(Json(mgs.nodemap(&name).await?))
}

/// Whose a NID is, and what becomes of an id there.
#[utoipa::path(get, path = "/v1/nodemap-test", tag = "nodemap", operation_id = "nodemap_test",
    params(
        ("nid" = String, Query, description = "NID of a client, such as 10.0.0.4@tcp"),
        ("kind" = Option<NodemapIdKind>, Query, description = "which id"),
        ("id" = Option<u32>, Query, description = "id on the client"),
    ),
    responses(
        (status = 200, description = "the answer", body = NodemapTest),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn test(State(mgs): State<Shared>, Filter(which): Filter<Which>) -> Answer<NodemapTest> {
    Ok(Json(mgs.nodemap_test(&which.nid, which.kind.zip(which.id)).await?))
}

/// Changes nodemaps: all edits are made, or none, in one commit. Servers are told once. The body may have 64 MiB.
#[utoipa::path(post, path = "/v1/nodemaps", tag = "nodemap", operation_id = "nodemap_edit",
    request_body = NodemapEdits,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn edit(State(mgs): State<Shared>, by: Ordered, request: Request) -> Answer<Change> {
    let edits: NodemapEdits = batch(request).await?;
    by.change(&mgs, Command { edits: edits.edits.into_iter().map(core_edit).collect() }).await
}

/// The document of a request that may be large.
async fn batch(request: Request) -> Result<NodemapEdits, Refusal> {
    let problem = |kind, detail: String| {
        Problem::new(kind, "body of POST \"/v1/nodemaps\"", detail)
            .hint("GET /v1/openapi.json describes every request")
    };
    let body = axum::body::to_bytes(request.into_body(), BATCH_MAX).await;
    let body = body.map_err(|e| problem(ProblemKind::TooLarge, e.to_string()))?;
    Ok(serde_json::from_slice(&body).map_err(|e| problem(ProblemKind::Malformed, e.to_string()))?)
}

/// Ids as the wire has them.
pub(crate) const fn id_kind(kind: NodemapIdKind) -> IdKind {
    match kind {
        NodemapIdKind::Uid => IdKind::Uid,
        NodemapIdKind::Gid => IdKind::Gid,
        NodemapIdKind::Projid => IdKind::Projid,
    }
}

fn core_edit(edit: NodemapEdit) -> Edit {
    use NodemapEdit as E;
    let (name, action) = match edit {
        E::Activate { active } => return Edit::Activate(active),
        E::Add { nodemap } => (nodemap, Action::Add),
        E::Del { nodemap } => (nodemap, Action::Del),
        E::Modify { nodemap, property, value } => (nodemap, Action::Set { property, value }),
        E::AddRange { nodemap, range } => (nodemap, Action::AddRange(range)),
        E::DelRange { nodemap, range } => (nodemap, Action::DelRange(range)),
        E::BanlistAdd { nodemap, range } => (nodemap, Action::Ban(range)),
        E::BanlistDel { nodemap, range } => (nodemap, Action::Unban(range)),
        E::AddIdmap { nodemap, kind, map } => (nodemap, Action::AddIdmap { kind: id_kind(kind), map }),
        E::DelIdmap { nodemap, kind, map } => (nodemap, Action::DelIdmap { kind: id_kind(kind), map }),
        E::AddOffset { nodemap, start, limit } => (nodemap, Action::AddOffset { start, limit }),
        E::DelOffset { nodemap } => (nodemap, Action::DelOffset),
        E::SetFileset { nodemap, path } => (nodemap, Action::SetFileset(path)),
        E::FilesetAdd { nodemap, path, alternate, ro } => {
            (nodemap, Action::AddFileset { path, alternate, ro })
        }
        E::FilesetDel { nodemap, path } => (nodemap, Action::DelFileset(path)),
        E::FilesetModify { nodemap, path, rename, alternate, ro } => {
            (nodemap, Action::ModifyFileset { path, rename, alternate, ro })
        }
        E::SetSepol { nodemap, sepol } => (nodemap, Action::SetSepol(sepol)),
        E::SetCap { nodemap, kind, caps } => (nodemap, Action::SetCaps { kind, caps }),
    };
    Edit::Of { name, action }
}
