//! Which request gets which answer.

mod accounts;
mod certificates;

use super::Shared;
use super::guard::{self, Came};
use crate::views::{self, OutcomeView, Page};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use pn_control::{Control, ControlError, Outcome, Trigger};
use serde::Deserialize;
use std::sync::Arc;

/// A parameter that is misspelt must not roll back to something else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollBack {
    generation: Option<u64>,
}

pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/reload", post(reload))
        .route("/rollback", post(roll_back))
        .route("/certificates/{name}", get(certificates::show))
        .route("/certificates/rescan", post(certificates::rescan))
        .route("/certificates/{name}/renew", post(certificates::renew))
        .route("/acme/accounts", get(accounts::list))
        .route("/acme/accounts/rollover", post(accounts::roll_over))
        .route("/acme/accounts/deactivate", post(accounts::deactivate))
        .route("/certificates/{name}/revoke", post(certificates::revoke))
        .route("/{name}", get(api))
        .layer(axum::middleware::from_fn(guarded));
    Router::new()
        .route("/ping", get(ping))
        .route("/metrics", get(metrics))
        .nest("/api", api)
        .with_state(Arc::clone(shared))
}

/// Pages of the API are for whoever is at home here. `/ping` and `/metrics` show nothing that is worth an attack, and
/// are asked for by any name.
async fn guarded(request: Request, next: Next) -> Response {
    let came = request.extensions().get::<Came>().copied();
    let check = match *request.method() {
        Method::GET | Method::HEAD => guard::may_read,
        _ => guard::may_change,
    };
    match came.map(|came| check(came, request.headers())) {
        Some(Ok(())) => next.run(request).await,
        Some(Err(why)) => (StatusCode::FORBIDDEN, why).into_response(),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

async fn ping(State(shared): State<Arc<Shared>>) -> Response {
    if shared.views.lifecycle.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    (StatusCode::OK, "OK").into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    page(StatusCode::OK, views::metrics(&shared.views))
}

async fn api(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match views::api(&shared.views, &name) {
        Some(shown) => page(StatusCode::OK, shown),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn reload(State(shared): State<Arc<Shared>>) -> Response {
    match control(&shared).await {
        Ok(control) => outcome(control.reload(Trigger::Api).await),
        Err(stopped) => outcome(Err(stopped)),
    }
}

async fn roll_back(State(shared): State<Arc<Shared>>, Query(wanted): Query<RollBack>) -> Response {
    match control(&shared).await {
        Ok(control) => outcome(control.roll_back(wanted.generation).await),
        Err(stopped) => outcome(Err(stopped)),
    }
}

/// The control plane, once it runs.
async fn control(shared: &Shared) -> Result<Control, ControlError> {
    let mut connected = shared.control.clone();
    let control = connected.wait_for(Option::is_some).await.map_err(|_| ControlError::Stopped)?;
    control.clone().ok_or(ControlError::Stopped)
}

fn outcome(outcome: Result<Outcome, ControlError>) -> Response {
    match outcome {
        Ok(outcome) => {
            let refused = matches!(outcome, Outcome::Refused(_));
            let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            page(status, views::json(&OutcomeView::from(&outcome)))
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

fn page(status: StatusCode, page: Page) -> Response {
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static(page.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, fields, page.body).into_response()
}
