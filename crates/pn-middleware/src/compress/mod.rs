//! `compress`: encodes response bodies as the client accepts (RFC 9110 section 12.5.3), piece by piece.

mod encoder;
mod negotiate;

use crate::Built;
use encoder::Encoder;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderValue, VARY,
};
use http::{Method, StatusCode};
use pn_core::context::FieldValue;
use pn_core::{Env, Flow, Middleware, RequestContext, ResponseContext};
use pn_model::middleware::{Compress, Encoding};
use std::sync::Arc;

/// What is worth compressing when nothing else is said.
const TYPES: [&str; 14] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/xhtml+xml",
    "application/rss+xml",
    "application/atom+xml",
    "application/ld+json",
    "application/manifest+json",
    "application/wasm",
    "application/x-ndjson",
    "application/problem+json",
    "image/svg+xml",
    "font/ttf",
];
/// Never, whatever the configuration: they are streams whose pieces must not wait, or framed by themselves.
const NEVER: [&str; 2] = ["text/event-stream", "application/grpc"];

#[derive(Debug)]
struct CompressResponses {
    encodings: Box<[Encoding]>,
    min_size: u64,
    types: Box<[String]>,
    exclude: Box<[String]>,
}

/// What the client accepts best, found on the way in while its fields are there.
struct Accepted(Encoding);

pub(crate) fn build(spec: &Compress) -> Built {
    let types = match spec.types.as_slice() {
        [] => TYPES.iter().map(ToString::to_string).collect(),
        types => types.into(),
    };
    Ok(Arc::new(CompressResponses {
        encodings: spec.encodings.as_slice().into(),
        min_size: spec.min_size,
        types,
        exclude: spec.exclude.as_slice().into(),
    }))
}

impl Middleware for CompressResponses {
    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let accepted = negotiate::best(cx.header_all(&ACCEPT_ENCODING), &self.encodings);
        if let Some(encoding) = accepted.filter(|_| *cx.method() != Method::HEAD) {
            cx.extensions_mut().insert(Accepted(encoding));
        }
        Flow::Continue
    }

    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        if !self.compressible(cx) {
            return Flow::Continue;
        }
        let unknown = cx.body_size().is_none() && !cx.is_gathered() && self.min_size > 0;
        if unknown && cx.request().extensions().get::<Accepted>().is_some() {
            return Flow::Gather(self.min_size);
        }
        // Caches must tell clients apart also where this one gets the plain body.
        cx.add_header(VARY, HeaderValue::from_static("accept-encoding"));
        let Some(Accepted(encoding)) = cx.extensions_mut().remove::<Accepted>() else {
            return Flow::Continue;
        };
        // Where no length is known somebody may be waiting for each piece.
        let Ok(encoder) = Encoder::new(encoding, cx.body_size().is_none()) else { return Flow::Continue };
        cx.set_header(CONTENT_ENCODING, HeaderValue::from_static(negotiate::name(encoding)));
        cx.remove_header(&ACCEPT_RANGES);
        weaken(cx);
        cx.filter_body(Box::new(encoder));
        Flow::Continue
    }
}

impl CompressResponses {
    fn compressible(&self, cx: &ResponseContext) -> bool {
        let bodiless = matches!(
            cx.status(),
            StatusCode::SWITCHING_PROTOCOLS
                | StatusCode::NO_CONTENT
                | StatusCode::NOT_MODIFIED
                | StatusCode::PARTIAL_CONTENT
        );
        let kept = cx.header(&CACHE_CONTROL).and_then(FieldValue::to_str);
        !bodiless
            && cx.header(&CONTENT_ENCODING).is_none()
            && cx.header(&CONTENT_RANGE).is_none()
            && !kept.is_some_and(|value| value.to_ascii_lowercase().contains("no-transform"))
            && cx.body_size().is_none_or(|size| size >= self.min_size)
            && self.wanted_type(cx)
    }

    fn wanted_type(&self, cx: &ResponseContext) -> bool {
        let Some(kind) = cx.header(&CONTENT_TYPE).and_then(FieldValue::to_str) else { return false };
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let listed = |list: &[String]| list.iter().any(|pattern| fits(pattern, &kind));
        !NEVER.iter().any(|never| kind.starts_with(never)) && !listed(&self.exclude) && listed(&self.types)
    }
}

fn fits(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(family) => kind.split('/').next() == Some(family),
        None => pattern.eq_ignore_ascii_case(kind),
    }
}

/// Another encoding is another representation: a strong validator must not match it (RFC 9110 section 8.8.1).
fn weaken(cx: &mut ResponseContext) {
    let Some(tag) = cx.header(&ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")) else { return };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        cx.set_header(ETAG, weak);
    }
}
