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
    request: Box<[Edit]>,
    response: Box<[Edit]>,
}

#[derive(Debug)]
enum Edit {
    Remove(HeaderName),
    Set(FieldLine),
    Add(FieldLine),
}

pub(crate) fn build(spec: &Headers) -> Built {
    let request = edits(&spec.request, "request")?;
    let response = edits(&spec.response, "response")?;
    Ok(Arc::new(EditHeaders { request, response }))
}

impl Middleware for EditHeaders {
    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        for edit in &self.request {
            match edit {
                Edit::Remove(name) => cx.remove_header(name),
                Edit::Set(line) => cx.set_line(line),
                Edit::Add(line) => cx.add_line(line),
            }
        }
        Flow::Continue
    }

    fn hears_responses(&self) -> bool {
        !self.response.is_empty()
    }

    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        for edit in &self.response {
            match edit {
                Edit::Remove(name) => cx.remove_header(name),
                Edit::Set(line) => cx.set_line(line),
                Edit::Add(line) => cx.add_line(line),
            }
        }
        Flow::Continue
    }
}

/// What is taken away goes first, and what is added last.
fn edits(spec: &HeaderEdits, side: &str) -> Result<Box<[Edit]>, BuildError> {
    let name = |key: &str, text: &str| {
        let name = HeaderName::try_from(text);
        let name =
            name.map_err(|_| BuildError::new(["headers", side, key], format!("`{text}` is no field name")))?;
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
    let removed = spec.remove.iter().map(|field| name("remove", field).map(Edit::Remove));
    let set = spec.set.iter().map(|field| line("set", field).map(Edit::Set));
    let added = spec.add.iter().map(|field| line("add", field).map(Edit::Add));
    removed.chain(set).chain(added).collect()
}
