//! `redirect-scheme` and `redirect-regex`.

use crate::Built;
use http::header::{HeaderValue, LOCATION};
use http::{Method, StatusCode};
use pn_core::{BuildError, Env, Flow, Middleware, Reply, RequestContext};
use regex::Regex;
use std::sync::Arc;

#[derive(Debug)]
struct RedirectScheme {
    scheme: String,
    /// With its colon; empty for the scheme's own.
    port: String,
    permanent: bool,
}

#[derive(Debug)]
struct RedirectRegex {
    regex: Regex,
    replacement: String,
    permanent: bool,
}

pub(crate) fn scheme(scheme: &str, port: Option<u16>, permanent: bool) -> Built {
    let own = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(BuildError::new(["redirect-scheme", "scheme"], "a scheme is `http` or `https`")),
    };
    let port = port.filter(|&port| port != own).map(|port| format!(":{port}")).unwrap_or_default();
    Ok(Arc::new(RedirectScheme { scheme: scheme.to_owned(), port, permanent }))
}

pub(crate) fn regex(regex: &str, replacement: &str, permanent: bool) -> Built {
    let regex = crate::regex(["redirect-regex", "regex"], regex)?;
    Ok(Arc::new(RedirectRegex { regex, replacement: replacement.to_owned(), permanent }))
}

impl Middleware for RedirectScheme {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        if cx.scheme().as_str() == self.scheme {
            return Flow::Continue;
        }
        let host = if cx.host().contains(':') { format!("[{}]", cx.host()) } else { cx.host().to_owned() };
        let query = cx.query().map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("{}://{host}{}{}{query}", self.scheme, self.port, cx.path());
        redirect(cx.method(), self.permanent, &location)
    }
}

impl Middleware for RedirectRegex {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let url = cx.url();
        if !self.regex.is_match(&url) {
            return Flow::Continue;
        }
        let location = self.regex.replace(&url, self.replacement.as_str());
        // A rule that matches its own result must not send a client in circles.
        if location == url {
            return Flow::Continue;
        }
        redirect(cx.method(), self.permanent, &location)
    }
}

/// 302 and 301 let a client turn into GET, so that they are for GET and HEAD; 307 and 308 keep the method.
fn redirect(method: &Method, permanent: bool, location: &str) -> Flow {
    let safe = matches!(*method, Method::GET | Method::HEAD);
    let status = match (safe, permanent) {
        (true, true) => StatusCode::MOVED_PERMANENTLY,
        (true, false) => StatusCode::FOUND,
        (false, true) => StatusCode::PERMANENT_REDIRECT,
        (false, false) => StatusCode::TEMPORARY_REDIRECT,
    };
    let reply = match HeaderValue::from_str(location) {
        Ok(location) => Reply::new(status).with_header(LOCATION, location),
        Err(_) => Reply::text(StatusCode::BAD_REQUEST, "400 Bad Request\n"),
    };
    Flow::Respond(Box::new(reply))
}
