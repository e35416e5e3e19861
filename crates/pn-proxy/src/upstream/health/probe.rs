//! How a server is asked whether it is well. Each time over a new connection, as a new client would find it.

use super::check::Check;
use super::grpc;
use crate::conn::Interim;
use crate::upstream::dial::{ClientEnds, Dialed, Target};
use crate::upstream::fields;
use crate::upstream::h1::{self, H1};
use crate::upstream::h2::H2;
use crate::upstream::names::Names;
use crate::upstream::payload::Payload;
use crate::upstream::room::{Place, Room};
use crate::upstream::service::host_of;
use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Version};
use pn_core::ProxyError;
use pn_core::context::FieldList;
use pn_model::Text;
use pn_model::service::Probe;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

/// The check has its own time.
const NO_LIMIT: Duration = Duration::ZERO;
const AGENT: HeaderValue = HeaderValue::from_static("proxy-now health check");

/// `Err` tells what was wrong.
pub(super) async fn ask(check: &Check, target: &Target, names: &Rc<Names>) -> Result<(), String> {
    match &check.spec.probe {
        Probe::Tcp => target.reach(names).await.map_err(|error| describe(&error)),
        Probe::Grpc { service } => {
            let (dialed, room, place) = open(target, names).await?;
            let opened = H2::open(dialed.stream, dialed.peer, &room, place).await;
            let connection = opened.map_err(|error| describe(&error))?;
            grpc::ask(&connection, check, target, service).await
        }
        Probe::Http { path, method, host, headers, status } => {
            let request = Asked { path, method, host: host.as_deref(), headers };
            let found = http_status(check, target, names, &request).await?;
            if status.contains(found) { Ok(()) } else { Err(format!("status {found}")) }
        }
    }
}

type Opened = (Dialed, Rc<Room>, Place);

async fn open(target: &Target, names: &Rc<Names>) -> Result<Opened, String> {
    let dialed = target.dial(names, ClientEnds::default(), false).await.map_err(|error| describe(&error))?;
    let room = Room::new(None);
    let place = room.enter().ok_or("no place for a connection")?;
    Ok((dialed, room, place))
}

struct Asked<'a> {
    path: &'a str,
    method: &'a str,
    host: Option<&'a str>,
    headers: &'a [(String, Text)],
}

async fn http_status(
    check: &Check,
    target: &Target,
    names: &Rc<Names>,
    asked: &Asked<'_>,
) -> Result<u16, String> {
    let (Dialed { stream, h2, peer }, room, place) = open(target, names).await?;
    let host = match asked.host {
        Some(host) => HeaderValue::from_str(host).map_err(|error| error.to_string())?,
        None => host_of(&check.server),
    };
    let path = PathAndQuery::try_from(asked.path).map_err(|error| error.to_string())?;
    let method = Method::from_bytes(asked.method.as_bytes()).map_err(|error| error.to_string())?;
    let headers = headers(asked.headers)?;
    let status = if h2 {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        *request.uri_mut() =
            fields::absolute(target.is_tls(), &host, path).map_err(|error| describe(&error))?;
        *request.version_mut() = Version::HTTP_2;
        let connection = H2::open(stream, peer, &room, place).await;
        let connection = connection.map_err(|error| describe(&error))?;
        let exchange = connection.exchange(request, Payload::EMPTY, None, &Interim::Nobody, NO_LIMIT);
        exchange.await.map(|answered| answered.response.status())
    } else {
        let fields = FieldList::from(headers);
        let asked = h1::Asked { close: true, ..h1::Asked::new(&method, (&path).into(), &host, &fields) };
        let mut connection = H1::new(stream, peer, place);
        let exchange = connection.exchange(&asked, Payload::EMPTY, None, None, Interim::Nobody, NO_LIMIT);
        exchange.await.map(|head| head.status)
    };
    status.map(|status| status.as_u16()).map_err(|broken| describe(&broken.error))
}

fn headers(given: &[(String, Text)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(given.len() + 3);
    headers.insert(USER_AGENT, AGENT);
    for (name, value) in given {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.insert(name, HeaderValue::try_from(value.expose()).map_err(|error| error.to_string())?);
    }
    Ok(headers)
}

/// The kind of an error, and its cause.
pub(super) fn describe(error: &ProxyError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
