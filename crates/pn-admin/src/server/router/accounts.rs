//! `/api/acme/accounts`: what is there, and what is asked of one.

use super::page;
use crate::server::Shared;
use crate::views::accounts;
use crate::{Account, AccountRefusal};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;

/// A parameter that is misspelt must not close another account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    account: Option<String>,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    match shared.views.accounts.list().await {
        Ok(all) => page(StatusCode::OK, accounts::all(all)),
        Err(refusal) => refused(&refusal),
    }
}

pub(super) async fn roll_over(State(shared): State<Arc<Shared>>, Query(which): Query<Which>) -> Response {
    answer(shared.views.accounts.roll_over(which.account).await)
}

pub(super) async fn deactivate(State(shared): State<Arc<Shared>>, Query(which): Query<Which>) -> Response {
    answer(shared.views.accounts.deactivate(which.account).await)
}

fn answer(outcome: Result<Account, AccountRefusal>) -> Response {
    match outcome {
        Ok(account) => page(StatusCode::OK, accounts::one(account)),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &AccountRefusal) -> Response {
    let status = match refusal {
        AccountRefusal::Which(_) => StatusCode::NOT_FOUND,
        AccountRefusal::Failed(_) => StatusCode::BAD_GATEWAY,
        AccountRefusal::Silent(_) => StatusCode::GATEWAY_TIMEOUT,
    };
    (status, format!("{refusal}\n")).into_response()
}
