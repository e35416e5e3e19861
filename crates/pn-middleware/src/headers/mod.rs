//! `headers`: sets, adds and removes fields of requests and responses.

use crate::Built;
use http::{HeaderName, HeaderValue};
use pn_core::context::FieldLine;
use pn_core::{BuildError, Env, Flow, Middleware, RequestContext, ResponseContext};
use pn_model::Text;
use pn_model::middleware::{FRAMING_FIELDS, HeaderEdits, Headers};
use std::sync::Arc;

#[derive(Debug)]
struct EditHeaders {
    request: Edits,
    response: Edits,
}

#[derive(Debug)]
struct Edits {
    remove: Box<[HeaderName]>,
    set: Box<[FieldLine]>,
    add: Box<[FieldLine]>,
}

pub(crate) fn build(spec: &Headers) -> Built {
    let request = Edits::new(&spec.request, "request")?;
    let response = Edits::new(&spec.response, "response")?;
    Ok(Arc::new(EditHeaders { request, response }))
}

impl Middleware for EditHeaders {
    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        self.request.remove.iter().for_each(|name| cx.remove_header(name));
        self.request.set.iter().for_each(|line| cx.set_line(line));
        self.request.add.iter().for_each(|line| cx.add_line(line));
        Flow::Continue
    }

    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        self.response.remove.iter().for_each(|name| cx.remove_header(name));
        self.response.set.iter().for_each(|line| cx.set_line(line));
        self.response.add.iter().for_each(|line| cx.add_line(line));
        Flow::Continue
    }
}

impl Edits {
    fn new(spec: &HeaderEdits, side: &str) -> Result<Self, BuildError> {
        let name = |key: &str, text: &str| {
            let name = HeaderName::try_from(text);
            let name = name
                .map_err(|_| BuildError::new(["headers", side, key], format!("`{text}` is no field name")))?;
            if FRAMING_FIELDS.contains(&name.as_str()) {
                let message = format!("`{name}` belongs to the connection and is set by the proxy");
                return Err(BuildError::new(["headers", side, key], message));
            }
            Ok(name)
        };
        let line = |key: &str, (field, text): &(String, Text)| {
            let value = HeaderValue::try_from(text.expose());
            let mut value = value.map_err(|_| {
                BuildError::new(["headers", side, key, field], "a field value has no such characters")
            })?;
            // Not shown by Debug, and never put into a table of HTTP/2 (RFC 7541 section 7.1.3).
            value.set_sensitive(text.is_secret());
            Ok(FieldLine::new(&name(key, field)?, &value))
        };
        Ok(Self {
            remove: spec.remove.iter().map(|field| name("remove", field)).collect::<Result<_, _>>()?,
            set: spec.set.iter().map(|field| line("set", field)).collect::<Result<_, _>>()?,
            add: spec.add.iter().map(|field| line("add", field)).collect::<Result<_, _>>()?,
        })
    }
}
