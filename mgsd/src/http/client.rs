//! Noun `client`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use mgs_api::{Change, ClientExport, CloseConnections, Connections, List, Nids, Problem};
use mgs_core::model::command::eviction::Command;
use utoipa::ToSchema;

use super::answer::{Answer, Document, Name, Ordered, Refusal, Shared};

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

/// Forgets what is known of a node's connections; it connects again and reads everything anew.
#[utoipa::path(post, path = "/v1/clients/{who}/evict", tag = "client", operation_id = "client_evict",
    params(
        ("who" = String, Path, description = "NID, or UUID of an MGC"),
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn evict(State(mgs): State<Shared>, Name(who): Name, by: Ordered) -> Answer<Change> {
    by.change(&mgs, Command::Evict { who }).await
}

/// Who may connect.
#[utoipa::path(get, path = "/v1/connections", tag = "client", operation_id = "client_connections", responses(
    (status = 200, description = "the rule", body = Connections),
    (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn connections(State(mgs): State<Shared>) -> Answer<Connections> {
    Ok(Json(mgs.connections().await?))
}

/// Lets nobody in who is not connected, or everybody again.
#[utoipa::path(put, path = "/v1/connections", tag = "client", operation_id = "client_close",
    request_body = CloseConnections,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn close(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(to): Document<CloseConnections>,
) -> Answer<Change> {
    by.change(&mgs, Command::Close(to.closed)).await
}

/// Lets nodes in no more; those that are connected are evicted.
#[utoipa::path(post, path = "/v1/connections/deny", tag = "client", operation_id = "client_deny",
    request_body = Nids,
    params(
        ("dry_run" = Option<bool>, Query, description = "say what would be done, change nothing"),
    ),
    responses(
        (status = 200, description = "what was done", body = Change),
        (status = "default", description = "a problem", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn deny(
    State(mgs): State<Shared>,
    by: Ordered,
    Document(which): Document<Nids>,
) -> Answer<Change> {
    by.change(&mgs, Command::Deny { nids: which.nids }).await
}

/// Lets denied nodes in again.
#[utoipa::path(post, path = "/v1/connections/allow", tag = "client", operation_id = "client_allow",
    request_body = Nids,
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
    Document(which): Document<Nids>,
) -> Answer<Change> {
    by.change(&mgs, Command::Allow { nids: which.nids }).await
}
