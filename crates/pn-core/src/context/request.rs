//! The request as middlewares see and change it.

use super::{Extensions, FieldLine, FieldList, FieldValue};
use crate::body::BodyFilter;
use crate::router::RequestView;
use crate::tls::TlsInfo;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Version};
use std::borrow::Borrow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// A request, from the moment its head is read until the exchange is over.
pub struct RequestContext {
    head: RequestHead,
    connection: Rc<Connection>,
    client_ip: IpAddr,
    scheme: Scheme,
    /// As it came, once a middleware has changed it; empty until then, with the memory of the last one.
    original_path: String,
    site: Option<Arc<str>>,
    route: Option<Arc<str>>,
    service: Option<Arc<str>>,
    user: Option<Box<str>>,
    extensions: Extensions,
    body_filters: Vec<Box<dyn BodyFilter>>,
}

/// What the data plane reads off the wire, brought into one form.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    pub method: Method,
    /// Lower-case, without port, brackets of IPv6 or trailing dot. Empty when the client sent none (HTTP/1.0).
    pub host: String,
    pub port: Option<u16>,
    /// Normalised (`router::path`), percent-encoded, beginning with `/`; `*` for `OPTIONS *`.
    pub path: String,
    /// Without the question mark, as it came.
    pub query: Option<String>,
    pub version: Version,
    /// Without hop-by-hop fields.
    pub headers: FieldList,
}

impl RequestHead {
    fn clear(&mut self) {
        self.headers.clear();
        self.host.clear();
        self.path.clear();
        // Whoever reads the next head says whether there is one; most have what the last one had.
        self.query.iter_mut().for_each(String::clear);
        (self.port, self.method) = (None, Method::GET);
    }
}

/// Facts of the connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    pub listener: Arc<str>,
    /// After PROXY protocol. `None` for unix sockets.
    pub peer: Option<SocketAddr>,
    pub local: Option<SocketAddr>,
    pub tls: Option<TlsInfo>,
}

/// How the client speaks, as far as it is believed: a trusted proxy may say `https` over a plain connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// For the data plane.
impl RequestContext {
    pub fn new(head: RequestHead, connection: Rc<Connection>, client_ip: IpAddr, scheme: Scheme) -> Self {
        Self {
            head,
            connection,
            client_ip,
            scheme,
            original_path: String::new(),
            site: None,
            route: None,
            service: None,
            user: None,
            extensions: Extensions::default(),
            body_filters: Vec::new(),
        }
    }

    /// A context that stands for one that a failed middleware kept. It names nothing and nobody.
    pub(crate) fn lost() -> Self {
        let head = RequestHead { path: "/".into(), ..RequestHead::default() };
        let connection = Connection { listener: Arc::from(""), peer: None, local: None, tls: None };
        Self::new(head, Rc::new(connection), IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), Scheme::Http)
    }

    /// Takes it out by value, for a middleware that waits. What stays behind names nothing and nobody.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::lost())
    }

    pub fn set_route(&mut self, site: &Arc<str>, route: &Arc<str>) {
        self.site = Some(Arc::clone(site));
        self.route = Some(Arc::clone(route));
    }

    pub fn set_service(&mut self, service: &Arc<str>) {
        self.service = Some(Arc::clone(service));
    }

    /// One for a head that is still to be read into it, of a request of `connection`.
    pub fn vacant(connection: &Rc<Connection>) -> Self {
        let head = RequestHead::default();
        Self::new(head, Rc::clone(connection), IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), Scheme::Http)
    }

    /// Forgets the request, and keeps the memory for the next one. Of the last one's connection the facts stay until
    /// [`RequestContext::begin`].
    pub fn clear(&mut self) {
        let Self { head, original_path, site, route, service, user, extensions, body_filters, .. } = self;
        head.clear();
        original_path.clear();
        (*user, *site, *route, *service) = (None, None, None, None);
        extensions.clear();
        body_filters.clear();
    }

    /// Who asks is known now.
    pub fn begin(&mut self, connection: &Rc<Connection>, client_ip: IpAddr, scheme: Scheme) {
        self.connection = Rc::clone(connection);
        self.client_ip = client_ip;
        self.scheme = scheme;
    }

    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    pub fn head_mut(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    pub fn headers_mut(&mut self) -> &mut FieldList {
        &mut self.head.headers
    }

    pub fn take_body_filters(&mut self) -> Vec<Box<dyn BodyFilter>> {
        std::mem::take(&mut self.body_filters)
    }
}

/// For middlewares: what the request is.
impl RequestContext {
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    pub fn version(&self) -> Version {
        self.head.version
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Lower-case, without port; IPv6 without brackets. Empty when the client sent none.
    pub fn host(&self) -> &str {
        &self.head.host
    }

    /// The port of the authority, if the client named one.
    pub fn port(&self) -> Option<u16> {
        self.head.port
    }

    /// The normalised path as the middlewares before have left it.
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// The normalised path as it came.
    pub fn original_path(&self) -> &str {
        if self.original_path.is_empty() { &self.head.path } else { &self.original_path }
    }

    /// Without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.head.query.as_deref()
    }

    /// After PROXY protocol and trusted proxies.
    pub fn client_ip(&self) -> IpAddr {
        self.client_ip
    }

    /// The socket's, after PROXY protocol. Unix sockets count as 127.0.0.1.
    pub fn peer_ip(&self) -> IpAddr {
        self.connection.peer.map_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), |peer| peer.ip())
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// `None` on plain connections.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.connection.tls.as_ref()
    }

    pub fn listener(&self) -> &str {
        &self.connection.listener
    }

    /// `None` before a route is chosen.
    pub fn site(&self) -> Option<&str> {
        self.site.as_deref()
    }

    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The user that a middleware authenticated, for the access log and other middlewares.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The URL as the client meant it, with the current path.
    pub fn url(&self) -> String {
        self.url_of(self.path())
    }

    /// The URL as the client meant it, with the path as it came.
    pub fn original_url(&self) -> String {
        self.url_of(self.original_path())
    }

    fn url_of(&self, path: &str) -> String {
        let ipv6 = self.host().contains(':');
        let (open, close) = if ipv6 { ("[", "]") } else { ("", "") };
        let port = self.port().filter(|&port| port != self.scheme.default_port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let query = self.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}://{open}{}{close}{port}{path}{query}", self.scheme.as_str(), self.host())
    }
}

/// For middlewares: fields, extensions, changes.
impl RequestContext {
    /// The first field of this name.
    pub fn header(&self, name: &HeaderName) -> Option<FieldValue<'_>> {
        self.head.headers.get(name)
    }

    pub fn header_all(&self, name: &HeaderName) -> impl DoubleEndedIterator<Item = FieldValue<'_>> {
        self.head.headers.named(name.as_str())
    }

    /// Names, in lower case, and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.head.headers.iter()
    }

    /// Replaces every field of this name.
    pub fn set_header(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        self.head.headers.insert(name.borrow(), value.borrow());
    }

    /// Adds a field beside those of its name.
    pub fn add_header(&mut self, name: impl Borrow<HeaderName>, value: impl Borrow<HeaderValue>) {
        self.head.headers.append(name.borrow(), value.borrow());
    }

    /// As [`RequestContext::set_header`], of a field that was made when the middleware was.
    pub fn set_line(&mut self, line: &FieldLine) {
        self.head.headers.insert_line(line);
    }

    /// As [`RequestContext::add_header`], of a field that was made when the middleware was.
    pub fn add_line(&mut self, line: &FieldLine) {
        self.head.headers.append_line(line);
    }

    pub fn remove_header(&mut self, name: &HeaderName) {
        self.head.headers.remove(name);
    }

    /// Removes fields that some upstreams take for this one ([`pn_http1::is_alias`]), so that a client's own is not
    /// believed there.
    pub fn remove_aliases(&mut self, name: &HeaderName) {
        self.head.headers.remove_names(|given| pn_http1::is_alias(given, name.as_str().as_bytes()));
    }

    /// Changes the path. It is normalised as a client's would be; one that cannot be is refused and changes nothing.
    pub fn set_path(&mut self, path: &str) -> Result<(), crate::path::PathError> {
        let path = crate::path::normalise(path, pn_model::listener::PathMode::Normalise)?;
        if self.original_path.is_empty() {
            std::mem::swap(&mut self.original_path, &mut self.head.path);
        }
        path.as_ref().clone_into(&mut self.head.path);
        Ok(())
    }

    /// Takes whole segments away from the front of the path: `prefix` is in normal form and does not end with a slash.
    /// `false` where the path begins otherwise. What is left of a normal path is one.
    pub fn strip_path(&mut self, prefix: &str) -> bool {
        let (path, original) = (&mut self.head.path, &mut self.original_path);
        if !path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return false;
        }
        if original.is_empty() {
            std::mem::swap(original, path);
            path.push_str(original.get(prefix.len()..).unwrap_or_default());
        } else {
            path.drain(..prefix.len());
        }
        if path.is_empty() {
            path.push('/');
        }
        true
    }

    /// Without the question mark.
    pub fn set_query(&mut self, query: Option<&str>) {
        self.head.query = query.map(Into::into);
    }

    pub fn set_user(&mut self, user: &str) {
        self.user = Some(user.into());
    }

    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Lets the request body run through a filter on its way to the service.
    pub fn filter_body(&mut self, filter: Box<dyn BodyFilter>) {
        self.body_filters.push(filter);
    }
}

impl RequestView for RequestContext {
    fn host(&self) -> &str {
        &self.head.host
    }

    fn path(&self) -> &str {
        &self.head.path
    }

    fn method(&self) -> &str {
        self.head.method.as_str()
    }

    fn header(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.head.headers.named(name).map(FieldValue::as_bytes)
    }

    fn query(&self) -> &str {
        self.head.query.as_deref().unwrap_or_default()
    }

    fn client_ip(&self) -> IpAddr {
        self.client_ip
    }

    fn peer_ip(&self) -> IpAddr {
        Self::peer_ip(self)
    }

    fn is_tls(&self) -> bool {
        self.connection.tls.is_some()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fields and query may hold credentials.
        write!(f, "RequestContext({} {}{})", self.head.method, self.head.host, self.head.path)
    }
}
