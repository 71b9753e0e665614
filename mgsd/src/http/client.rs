//! Noun `client`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use mgs_api::{ClientExport, List, Problem};
use utoipa::ToSchema;

use super::answer::{Answer, Name, Refusal, Shared};

/// All connected nodes.
#[utoipa::path(get, path = "/v1/clients", tag = "client", operation_id = "client_list", responses(
    (status = 200, description = "the connected nodes", body = List<ClientExport>),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(mgs): State<Shared>) -> Answer<List<ClientExport>> {
    Ok(Json(mgs.clients().await?))
}

/// A capture file; here only for the description.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Pcap(#[expect(dead_code, reason = "a schema needs a field")] Vec<u8>);

/// The last conversations of a node, for Wireshark.
#[utoipa::path(get, path = "/v1/clients/{nid}/record", tag = "client", operation_id = "client_record",
    params(("nid" = String, Path, description = "NID of the node, such as 10.0.0.4@tcp")),
    responses(
        (status = 200, description = "a capture file", body = Pcap, content_type = "application/vnd.tcpdump.pcap"),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn record(State(mgs): State<Shared>, Name(nid): Name) -> Result<Response, Refusal> {
    let pcap = mgs.client_record(&nid).await?;
    Ok(([(CONTENT_TYPE, "application/vnd.tcpdump.pcap")], pcap).into_response())
}
