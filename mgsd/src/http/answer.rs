//! Requests in and answers out, with a problem document for everything that is not an answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mgs_api::{PROBLEM_CONTENT_TYPE, Problem, ProblemKind};
use serde::de::DeserializeOwned;

use super::Mgs;

/// What every handler works on.
pub(super) type Shared = Arc<dyn Mgs>;

/// Answer of a handler: a document or a problem.
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

/// A [`Problem`] on its way out.
#[derive(Debug)]
pub(super) struct Refusal(Box<Problem>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal(Box::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::warn!(kind = ?self.0.kind, object = %self.0.object, detail = %self.0.detail, "request failed");
        }
        let mut response = (status, Json(self.0)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        response
    }
}

/// The name in a path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let name: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        name.map(|Path(name)| Name(name)).map_err(|rejection| malformed(parts, rejection.body_text()))
    }
}

/// The query of a path, with every member known.
pub(super) struct Filter<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Filter<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query.map(|Query(query)| Filter(query)).map_err(|rejection| malformed(parts, rejection.body_text()))
    }
}

fn malformed(parts: &Parts, detail: String) -> Refusal {
    Problem::new(ProblemKind::Malformed, format!("request {:?}", parts.uri.to_string()), detail)
        .hint("GET /v1/openapi.json describes every request")
        .into()
}
