//! `strip-prefix`, `strip-prefix-regex`, `add-prefix`.

use crate::Built;
use http::{HeaderName, HeaderValue};
use pn_core::context::FieldLine;
use pn_core::{Env, ErrorKind, Flow, Middleware, ProxyError, RequestContext};
use regex::Regex;
use std::sync::Arc;

/// Tells the upstream what was taken away, as Traefik does.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

#[derive(Debug)]
struct StripPrefix(Box<[Prefix]>);

#[derive(Debug)]
struct Prefix {
    text: String,
    /// What the upstream is told; `None` where no field can say it.
    told: Option<FieldLine>,
}

#[derive(Debug)]
struct StripPrefixRegex(Box<[Regex]>);

#[derive(Debug)]
struct AddPrefix(String);

pub(crate) fn strip(prefixes: &[String]) -> Built {
    Ok(Arc::new(StripPrefix(
        prefixes.iter().map(|prefix| Prefix::new(prefix.trim_end_matches('/'))).collect(),
    )))
}

pub(crate) fn strip_regex(regexes: &[String]) -> Built {
    let compile = |text: &String| crate::regex(["strip-prefix-regex"], text);
    Ok(Arc::new(StripPrefixRegex(regexes.iter().map(compile).collect::<Result<_, _>>()?)))
}

pub(crate) fn add(prefix: &str) -> Built {
    let prefix = prefix.trim_end_matches('/');
    let slash = if prefix.starts_with('/') || prefix.is_empty() { "" } else { "/" };
    Ok(Arc::new(AddPrefix(format!("{slash}{prefix}"))))
}

impl Middleware for StripPrefix {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let found = self.0.iter().find(|prefix| cx.strip_path(&prefix.text));
        if let Some(told) = found.and_then(|prefix| prefix.told.as_ref()) {
            cx.set_line(told);
        }
        Flow::Continue
    }
}

impl Prefix {
    fn new(text: &str) -> Self {
        let told = HeaderValue::from_str(text).ok();
        let told = told.map(|told| FieldLine::new(&FORWARDED_PREFIX, &told));
        Self { text: text.to_owned(), told }
    }
}

impl Middleware for StripPrefixRegex {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let path = cx.path();
        let found = self.0.iter().find_map(|regex| regex.find(path).filter(|found| found.start() == 0));
        let split = found.and_then(|found| path.split_at_checked(found.end()));
        match split.map(|(prefix, rest)| (prefix.to_owned(), rest.to_owned())) {
            Some((prefix, rest)) => stripped(cx, &prefix, &rest),
            None => Flow::Continue,
        }
    }
}

impl Middleware for AddPrefix {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let path = format!("{}{}", self.0, cx.path());
        set_path(cx, &path)
    }
}

fn stripped(cx: &mut RequestContext, prefix: &str, rest: &str) -> Flow {
    if let Ok(prefix) = HeaderValue::from_str(prefix) {
        cx.set_header(FORWARDED_PREFIX, prefix);
    }
    let slash = if rest.starts_with('/') { "" } else { "/" };
    set_path(cx, &format!("{slash}{rest}"))
}

/// Changes the path, or answers 400 when what comes out has no normal form.
pub(crate) fn set_path(cx: &mut RequestContext, path: &str) -> Flow {
    match cx.set_path(path) {
        Ok(()) => Flow::Continue,
        Err(_) => Flow::Respond(Box::new(ProxyError::new(ErrorKind::RequestMalformed).to_reply())),
    }
}
