//! `errors`: a service's page in place of responses with certain statuses, the status kept.

use crate::Built;
use http::StatusCode;
use pn_core::{Dispatch, Env, Flow, Middleware, ResponseContext};
use pn_model::ServiceName;
use pn_model::middleware::Errors;
use pn_model::service::StatusRanges;
use std::fmt::Write;
use std::sync::Arc;

#[derive(Debug)]
struct ErrorPages {
    status: StatusRanges,
    service: ServiceName,
    path: String,
}

pub(crate) fn build(spec: &Errors) -> Built {
    Ok(Arc::new(ErrorPages {
        status: spec.status.clone(),
        service: spec.service.clone(),
        path: spec.path.clone(),
    }))
}

impl Middleware for ErrorPages {
    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        let status = cx.status();
        if status == StatusCode::SWITCHING_PROTOCOLS || !self.status.contains(status.as_u16()) {
            return Flow::Continue;
        }
        let url =
            if self.path.contains("{url}") { encoded(&cx.request().original_url()) } else { String::new() };
        let path = self.path.replace("{status}", status.as_str()).replace("{url}", &url);
        let dispatch =
            Dispatch { service: self.service.clone(), path_and_query: Some(path), status: Some(status) };
        Flow::Dispatch(Box::new(dispatch))
    }
}

/// Percent-encoded whole, so that a URL can stand in a query.
fn encoded(url: &str) -> String {
    let mut out = String::with_capacity(url.len() * 2);
    for byte in url.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else if write!(out, "%{byte:02X}").is_err() {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn urls_are_encoded_whole() {
        assert_eq!(super::encoded("https://a.b/c?d=é"), "https%3A%2F%2Fa.b%2Fc%3Fd%3D%C3%A9");
    }
}
