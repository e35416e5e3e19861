//! `@api` and `@metrics`: the views that read, as services of the graph, so that a site can show them behind its own
//! middlewares. What changes something is not here: it is only at the admin address.

use crate::views::{self, Page, Views};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use pn_core::{BuiltinService, Reply, RequestContext};
use std::sync::Arc;

/// `@api`. Paths are those of the admin address, with or without `/api` in front.
#[derive(Debug)]
pub struct Api(pub Arc<Views>);

/// `@metrics`, whatever the path.
#[derive(Debug)]
pub struct MetricsPage(pub Arc<Views>);

impl BuiltinService for Api {
    fn reply(&self, request: &RequestContext) -> Reply {
        read_only(request).unwrap_or_else(|| {
            let path = request.path();
            let name = path.strip_prefix("/api/").or_else(|| path.strip_prefix('/')).unwrap_or(path);
            let page = views::api(&self.0, name);
            page.map_or_else(|| Reply::text(StatusCode::NOT_FOUND, "404 Not Found\n"), reply)
        })
    }
}

impl BuiltinService for MetricsPage {
    fn reply(&self, request: &RequestContext) -> Reply {
        read_only(request).unwrap_or_else(|| reply(views::metrics(&self.0)))
    }
}

/// The refusal of methods that do not read.
fn read_only(request: &RequestContext) -> Option<Reply> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    (!reads).then(|| {
        Reply::text(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed\n")
            .with_header(ALLOW, HeaderValue::from_static("GET, HEAD"))
    })
}

fn reply(page: Page) -> Reply {
    Reply::new(StatusCode::OK)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(page.content_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_body(page.body)
}
