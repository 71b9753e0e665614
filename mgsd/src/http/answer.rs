//! Requests in and answers out, with a problem document for everything that is not an answer.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mgs_api::{Change, PROBLEM_CONTENT_TYPE, Problem, ProblemKind};
use serde::de::DeserializeOwned;

use super::{Command, Mgs, Order};

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

/// The name in a path, or a tuple of what is in it.
pub(super) struct Name<T = String>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Name<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let name: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
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

/// The document in a request.
pub(super) struct Document<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let object = format!("body of {} {:?}", request.method(), request.uri().path());
        let body: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        body.map(|Json(body)| Document(body)).map_err(|rejection| {
            let kind = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
                _ => ProblemKind::Malformed,
            };
            Problem::new(kind, object, rejection.body_text())
                .hint("GET /v1/openapi.json describes every request")
                .into()
        })
    }
}

/// Who is at the other end of the socket: the user id that the kernel vouches for.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Option<u32>);

/// Who orders a change, and whether it is a dry run.
pub(super) struct Ordered {
    actor: String,
    dry_run: bool,
}

/// Query of every change.
#[derive(serde::Deserialize)]
struct How {
    #[serde(default)]
    dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Ordered {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Filter(How { dry_run }) = Filter::from_request_parts(parts, state).await?;
        let caller = Extension::<Caller>::from_request_parts(parts, state).await;
        let uid = caller.ok().and_then(|Extension(Caller(uid))| uid);
        let actor = uid.map_or_else(|| "uid:?".to_owned(), |uid| format!("uid:{uid}"));
        Ok(Self { actor, dry_run })
    }
}

impl Ordered {
    /// Has a change made.
    pub(super) async fn change(self, mgs: &Shared, command: impl Into<Command>) -> Answer<Change> {
        let order = Order { actor: self.actor, command: command.into(), dry_run: self.dry_run };
        Ok(Json(mgs.change(order).await?))
    }
}

fn malformed(parts: &Parts, detail: String) -> Refusal {
    Problem::new(ProblemKind::Malformed, format!("request {:?}", parts.uri.to_string()), detail)
        .hint("GET /v1/openapi.json describes every request")
        .into()
}
