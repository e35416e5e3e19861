//! The response as middlewares see and change it.

use super::{Extensions, FieldLine, FieldList, FieldValue, Known, RequestContext};
use crate::body::BodyFilter;
use crate::error::ErrorKind;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use std::borrow::Borrow;
use std::fmt;

/// A response head on its way to the client, with the request that it answers.
pub struct ResponseContext {
    request: Box<RequestContext>,
    status: StatusCode,
    headers: FieldList,
    body_size: Option<u64>,
    gathered: bool,
    error: Option<ErrorKind>,
    body_filters: Vec<Box<dyn BodyFilter>>,
}

/// For the data plane.
impl ResponseContext {
    /// `body_size` is `None` when it is not known beforehand. `error` is set when the proxy, not a service, answers.
    pub fn new(
        request: impl Into<Box<RequestContext>>,
        status: StatusCode,
        headers: impl Into<FieldList>,
        body_size: Option<u64>,
        error: Option<ErrorKind>,
    ) -> Self {
        Self {
            request: request.into(),
            status,
            headers: headers.into(),
            body_size,
            gathered: false,
            error,
            body_filters: Vec::new(),
        }
    }

    /// Takes the response apart: request, status, fields, body filters in the order in which they apply.
    pub fn into_parts(self) -> (Box<RequestContext>, StatusCode, FieldList, Vec<Box<dyn BodyFilter>>) {
        (self.request, self.status, self.headers, self.body_filters)
    }

    pub fn fields(&self) -> &FieldList {
        &self.headers
    }

    /// Puts another response in place of this one; what middlewares wanted done to the old body goes with it.
    pub fn replace(&mut self, status: StatusCode, headers: impl Into<FieldList>, body_size: Option<u64>) {
        self.status = status;
        self.headers = headers.into();
        self.body_size = body_size;
        self.gathered = false;
        self.body_filters.clear();
    }
}

/// For the data plane, after `Flow::Gather`.
impl ResponseContext {
    /// The beginning of the body is there; with its size, all of it.
    pub fn set_gathered(&mut self, body_size: Option<u64>) {
        self.body_size = body_size;
        self.gathered = true;
    }
}

/// For middlewares.
impl ResponseContext {
    /// The request as the middlewares left it, with its extensions.
    pub fn request(&self) -> &RequestContext {
        &self.request
    }

    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.request.extensions_mut()
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// Bytes of the body as the service sends it, where that is known.
    pub fn body_size(&self) -> Option<u64> {
        self.body_size
    }

    /// Whether `Flow::Gather` was answered already, so that nothing more can be learned of the size.
    pub fn is_gathered(&self) -> bool {
        self.gathered
    }

    /// Why the proxy itself answers, or `None` when a service does.
    pub fn error(&self) -> Option<ErrorKind> {
        self.error
    }

    /// The first field of this name.
    pub fn header(&self, name: &HeaderName) -> Option<FieldValue<'_>> {
        self.headers.get(name)
    }

    pub fn header_all(&self, name: &HeaderName) -> impl DoubleEndedIterator<Item = FieldValue<'_>> {
        self.headers.named(name.as_str())
    }

    /// Names, in lower case, and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.headers.iter()
    }

    /// Replaces every field of this name.
    pub fn set_header(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        self.headers.insert(name.borrow(), value.borrow());
    }

    /// Adds a field beside those of its name.
    pub fn add_header(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        self.headers.append(name.borrow(), value.borrow());
    }

    /// As [`ResponseContext::set_header`], of a field that was made when the middleware was.
    pub fn set_line(&mut self, line: &FieldLine) {
        self.headers.insert_line(line);
    }

    /// As [`ResponseContext::add_header`], of a field that was made when the middleware was.
    pub fn add_line(&mut self, line: &FieldLine) {
        self.headers.append_line(line);
    }

    pub fn remove_header(&mut self, name: &HeaderName) {
        self.headers.remove(name);
    }

    /// Lets the response body run through a filter on its way to the client. A filter that changes the length takes
    /// `Content-Length` away.
    pub fn filter_body(&mut self, filter: Box<dyn BodyFilter>) {
        if filter.changes_length() {
            self.headers.remove_known(Known::ContentLength);
        }
        self.body_filters.push(filter);
    }
}

impl fmt::Debug for ResponseContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseContext({} to {:?})", self.status, self.request)
    }
}
