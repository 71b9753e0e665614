//! Noun `client`.

use axum::Json;
use axum::extract::State;
use mgs_api::{ClientExport, List, Problem};

use super::answer::{Answer, Shared};

/// All connected nodes.
#[utoipa::path(get, path = "/v1/clients", tag = "client", operation_id = "client_list", responses(
    (status = 200, description = "the connected nodes", body = List<ClientExport>),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>) -> Answer<List<ClientExport>> {
    Ok(Json(mgs.clients().await?))
}
