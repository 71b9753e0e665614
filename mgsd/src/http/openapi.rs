//! The description of the API for programs.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use super::router;

#[derive(OpenApi)]
#[openapi(info(
    title = "mgsd",
    description = "The configuration service of Lustre file systems. Every refusal is a problem document (RFC 9457).",
    version = "1",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
))]
pub(super) struct Head;

/// The OpenAPI document of the API, as `GET /v1/openapi.json` serves it and `api/openapi.json` keeps it.
pub fn document() -> Document {
    router::routes().into_openapi()
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "openapi", operation_id = "openapi", responses(
    (status = 200, description = "the OpenAPI document of this API", body = Object),
))]
pub(super) async fn show() -> Json<Document> {
    Json(document())
}
