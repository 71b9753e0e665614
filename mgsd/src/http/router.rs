//! The table of routes, and what holds for all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use mgs_api::{Problem, ProblemKind};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, Shared};
use super::{
    Mgs, audit, barrier, client, fork, fs, import, log, nodemap, openapi, param, pool, registration,
    reservation, sptlrpc, status, target, why,
};

/// Largest body of a request, bytes.
const BODY_MAX: usize = 1 << 20;

/// How long a handler may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The API over a daemon.
pub fn router(mgs: Arc<dyn Mgs>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn(guard))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(mgs)
}

/// Route and description in one, so that neither is without the other.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::Head::openapi())
        .routes(routes!(status::show))
        .routes(routes!(fs::list))
        .routes(routes!(fs::show, fork::erase))
        .routes(routes!(fork::fork))
        .routes(routes!(fork::rename))
        .routes(routes!(fs::recovery))
        .routes(routes!(fs::recovery_reset))
        .routes(routes!(fs::startup))
        .routes(routes!(fs::policy))
        .routes(routes!(fs::approve_writeconf))
        .routes(routes!(fs::writeconf))
        .routes(routes!(target::list))
        .routes(routes!(target::show, target::remove))
        .routes(routes!(target::replace_nids))
        .routes(routes!(reservation::list, reservation::reserve))
        .routes(routes!(reservation::unreserve))
        .routes(routes!(registration::list))
        .routes(routes!(registration::approve))
        .routes(routes!(registration::refuse))
        .routes(routes!(registration::forget))
        .routes(routes!(registration::rules))
        .routes(routes!(registration::default))
        .routes(routes!(registration::bind))
        .routes(routes!(client::list))
        .routes(routes!(client::record))
        .routes(routes!(client::evict))
        .routes(routes!(client::connections, client::close))
        .routes(routes!(client::deny))
        .routes(routes!(client::allow))
        .routes(routes!(barrier::stat))
        .routes(routes!(barrier::freeze))
        .routes(routes!(barrier::thaw))
        .routes(routes!(barrier::rescan))
        .routes(routes!(why::show))
        .routes(routes!(log::list))
        .routes(routes!(log::records))
        .routes(routes!(log::file))
        .routes(routes!(log::readers))
        .routes(routes!(log::cancel))
        .routes(routes!(log::remove))
        .routes(routes!(log::compact))
        .routes(routes!(log::renew))
        .routes(routes!(log::retire))
        .routes(routes!(log::clear))
        .routes(routes!(param::list, param::set, param::unset))
        .routes(routes!(param::effective))
        .routes(routes!(param::history))
        .routes(routes!(param::status))
        .routes(routes!(param::policy, param::set_policy))
        .routes(routes!(param::programs, param::allow))
        .routes(routes!(pool::list, pool::new))
        .routes(routes!(pool::destroy))
        .routes(routes!(pool::add, pool::remove))
        .routes(routes!(sptlrpc::list, sptlrpc::set))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(import::export, import::import))
                .layer(DefaultBodyLimit::max(mgs_api::IMPORT_MAX)),
        )
        .routes(routes!(nodemap::list, nodemap::edit))
        .routes(routes!(nodemap::show))
        .routes(routes!(nodemap::test))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(openapi::show))
}

async fn guard(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", TIMEOUT.as_secs());
            Refusal::from(Problem::new(ProblemKind::Timeout, format!("{method} {path}"), detail))
                .into_response()
        }
    };
    tracing::debug!(%method, path, status = response.status().as_u16(), "http");
    response
}

async fn unknown_route(request: Request) -> Refusal {
    let object = format!("path {:?}", request.uri().path());
    Problem::new(ProblemKind::UnknownRoute, object, "not part of this API")
        .hint("GET /v1/openapi.json lists every path")
        .into()
}

async fn unknown_method(request: Request) -> Refusal {
    let object = format!("{} {:?}", request.method(), request.uri().path());
    Problem::new(ProblemKind::Method, object, "the path does not take this method")
        .hint("GET /v1/openapi.json lists the methods of every path")
        .into()
}
