//! `replace-path` and `replace-path-regex`.

use crate::Built;
use crate::prefix::set_path;
use http::{HeaderName, HeaderValue};
use pn_core::{Env, Flow, Middleware, RequestContext};
use regex::Regex;
use std::sync::Arc;

/// Tells the upstream what was there, as Traefik does.
const REPLACED_PATH: HeaderName = HeaderName::from_static("x-replaced-path");

#[derive(Debug)]
struct ReplacePath(String);

#[derive(Debug)]
struct ReplacePathRegex {
    regex: Regex,
    replacement: String,
}

pub(crate) fn build(path: &str) -> Built {
    Ok(Arc::new(ReplacePath(path.to_owned())))
}

pub(crate) fn build_regex(regex: &str, replacement: &str) -> Built {
    let regex = crate::regex(["replace-path-regex", "regex"], regex)?;
    Ok(Arc::new(ReplacePathRegex { regex, replacement: replacement.to_owned() }))
}

impl Middleware for ReplacePath {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        replace(cx, &self.0)
    }
}

impl Middleware for ReplacePathRegex {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        if !self.regex.is_match(cx.path()) {
            return Flow::Continue;
        }
        let path = self.regex.replace(cx.path(), self.replacement.as_str()).into_owned();
        replace(cx, &path)
    }
}

fn replace(cx: &mut RequestContext, path: &str) -> Flow {
    if let Ok(old) = HeaderValue::from_str(cx.path()) {
        cx.set_header(REPLACED_PATH, old);
    }
    set_path(cx, path)
}
