//! Requests about one certificate.

use super::page;
use crate::server::Shared;
use crate::views::certificates::{Certificate, CertificateSource, Unclear, find};
use crate::views::{self, Page, RevokeError};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;

/// A refusal, for whoever reads the answer.
type Refusal = (StatusCode, String);

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let shown = views::certificate(&shared.views, &name).map_err(|why| unclear(&why));
    answer(StatusCode::OK, shown)
}

pub(super) async fn rescan(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.views.process.rescan();
    StatusCode::ACCEPTED
}

pub(super) async fn renew(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let begun = managed(&shared, &name, "renewed").and_then(|one| {
        shared.views.process.renew(&one.id).map_err(|why| (StatusCode::CONFLICT, format!("{why}\n")))
    });
    answer(StatusCode::ACCEPTED, begun.map(|begun| views::begun(&begun)))
}

/// A reason that is misspelt must not become none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    reason: Option<String>,
}

pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(why): Query<Why>,
) -> Response {
    let (id, serial) = match managed(&shared, &name, "revoked") {
        Ok(one) => (one.id, one.served.map(|served| served.serial)),
        // One that is only stored any more is known by its id alone.
        Err((StatusCode::NOT_FOUND, _)) => (name, None),
        Err(refusal) => return refusal.into_response(),
    };
    let reason = why.reason.as_deref().unwrap_or("unspecified");
    let revoked =
        shared.views.process.revoke(&id, serial.as_deref(), reason).await.map_err(|error| match error {
            RevokeError::Unknown(told) => (StatusCode::NOT_FOUND, told + "\n"),
            RevokeError::Reason(told) => (StatusCode::BAD_REQUEST, told + "\n"),
            RevokeError::Refused(told) => (StatusCode::CONFLICT, told + "\n"),
            RevokeError::Failed(told) => (StatusCode::BAD_GATEWAY, told + "\n"),
            RevokeError::Silent(told) => (StatusCode::GATEWAY_TIMEOUT, told + "\n"),
        });
    answer(StatusCode::OK, revoked.map(|revoked| views::begun(&revoked)))
}

/// The one that is called so, if it is of an issuer that can be asked.
fn managed(shared: &Shared, name: &str, done: &str) -> Result<Certificate, Refusal> {
    let one = find(&shared.views, name).map_err(|why| unclear(&why))?;
    if one.renewal.is_some() {
        return Ok(one);
    }
    let remedy = match one.source {
        CertificateSource::File => "it is from files: replace them",
        CertificateSource::Internal => "the internal CA renews it by itself, long before it ends",
        _ => "no site wants it any more",
    };
    let told = format!("the certificate for {} cannot be {done} by ACME: {remedy}\n", one.names.join(", "));
    Err((StatusCode::UNPROCESSABLE_ENTITY, told))
}

fn answer(status: StatusCode, shown: Result<Page, Refusal>) -> Response {
    match shown {
        Ok(shown) => page(status, shown),
        Err(refusal) => refusal.into_response(),
    }
}

fn unclear(why: &Unclear) -> Refusal {
    let status = if *why == Unclear::None { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
    (status, format!("{why}\n"))
}
