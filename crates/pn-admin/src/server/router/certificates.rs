//! Requests about one certificate.

use super::page;
use crate::server::Shared;
use crate::views::certificates::{Certificate, CertificateSource, Unclear, find};
use crate::views::{self, Page};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use std::sync::Arc;

/// A refusal, for whoever reads the answer.
type Refusal = (StatusCode, String);

pub(super) async fn show(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let shown = views::certificate(&shared.views, &name).map_err(|why| unclear(&why));
    answer(StatusCode::OK, shown)
}

pub(super) async fn renew(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let begun = managed(&shared, &name, "renewed").and_then(|one| {
        shared.views.process.renew(&one.id).map_err(|why| (StatusCode::CONFLICT, format!("{why}\n")))
    });
    answer(StatusCode::ACCEPTED, begun.map(|begun| views::begun(&begun)))
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
