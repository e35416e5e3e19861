//! What the origin answers, by path, and how it keeps what it was asked.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Recorded, Shared};

/// More of a body is counted and hashed, but not kept.
const KEPT_BODY: usize = 1 << 20;
const ENDLESS_CHUNK: usize = 16 * 1024;

pub(super) async fn answer(
    shared: Arc<Shared>,
    connection: usize,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let upgrade = (request.uri().path() == "/upgrade").then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let mut recorded = head_of(&head, connection);
    let hash = if upgrade.is_some() { String::new() } else { take_body(&mut recorded, body).await };
    let path = head.uri.path().to_owned();
    let asked = Request::from_parts(head, recorded.body.clone());
    shared.requests().push(recorded.clone());

    let custom = shared.answer.as_ref().and_then(|answer| answer(&asked));
    let mut response = if let Some(response) = custom {
        response.map(|body| Answer::whole(&shared, body))
    } else if let status @ 1.. = shared.status.load(Ordering::SeqCst) {
        plain(&shared, status, "failing as told\n")
    } else if let Some(upgrade) = upgrade {
        tokio::spawn(echo(upgrade));
        switching(&shared)
    } else {
        by_path(&shared, &path, &recorded, &hash).await
    };
    if let Ok(name) = HeaderValue::from_str(&shared.name) {
        response.headers_mut().insert("x-origin", name);
    }
    Ok(response)
}

async fn by_path(shared: &Arc<Shared>, path: &str, recorded: &Recorded, hash: &str) -> Response<Answer> {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let kind = parts.next().unwrap_or_default();
    let number = parts.next().and_then(|number| number.parse::<usize>().ok());
    match (kind, number) {
        ("status", Some(status)) => plain(shared, u16::try_from(status).unwrap_or(500), "as asked\n"),
        ("bytes", Some(count)) => Response::new(Answer::whole(shared, Bytes::from(vec![b'x'; count]))),
        ("slow", Some(milliseconds)) => {
            tokio::time::sleep(Duration::from_millis(milliseconds as u64)).await;
            told(shared, recorded, hash)
        }
        ("chunked", Some(count)) => chunked(shared, count),
        ("sse", Some(count)) => events(shared, count),
        ("endless", _) => endless(shared),
        _ => told(shared, recorded, hash),
    }
}

fn plain(shared: &Arc<Shared>, status: u16, text: &'static str) -> Response<Answer> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let empty = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let body = Bytes::from_static(if empty { b"" } else { text.as_bytes() });
    let mut response = Response::new(Answer::whole(shared, body));
    *response.status_mut() = status;
    response
}

/// The request as JSON.
fn told(shared: &Arc<Shared>, recorded: &Recorded, hash: &str) -> Response<Answer> {
    let told = json!({
        "origin": shared.name,
        "method": recorded.method,
        "target": recorded.target,
        "authority": recorded.authority,
        "version": recorded.version,
        "headers": recorded.headers,
        "trailers": recorded.trailers,
        "body_length": recorded.body_length,
        "body_sha256": hash,
        "connection": recorded.connection,
    });
    let mut response = Response::new(Answer::whole(shared, Bytes::from(told.to_string())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn switching(shared: &Arc<Shared>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(shared, Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
    response
}

async fn echo(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    // Ends when either side does.
    tokio::io::copy(&mut from, &mut to).await.ok();
    to.shutdown().await.ok();
}

fn chunked(shared: &Arc<Shared>, count: usize) -> Response<Answer> {
    let (sender, body) = Answer::stream(shared);
    tokio::spawn(async move {
        for number in 0..count {
            let chunk = Frame::data(Bytes::from(format!("chunk {number}\n")));
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
        let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-count"), HeaderValue::from(count))]);
        sender.send(Frame::trailers(trailers)).await.ok();
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(TRAILER, HeaderValue::from_static("x-count"));
    response
}

fn events(shared: &Arc<Shared>, count: usize) -> Response<Answer> {
    let (sender, body) = Answer::stream(shared);
    tokio::spawn(async move {
        for number in 0..count {
            let event = Frame::data(Bytes::from(format!("id: {number}\ndata: event {number}\n\n")));
            if sender.send(event).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn endless(shared: &Arc<Shared>) -> Response<Answer> {
    let (sender, body) = Answer::stream(shared);
    tokio::spawn(async move {
        let chunk = Bytes::from(vec![b'x'; ENDLESS_CHUNK]);
        while sender.send(Frame::data(chunk.clone())).await.is_ok() {}
    });
    Response::new(body)
}

fn head_of(head: &http::request::Parts, connection: usize) -> Recorded {
    let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    let host = head.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let authority = head.uri.authority().map(ToString::to_string).or(host);
    Recorded {
        method: head.method.to_string(),
        target,
        authority: authority.unwrap_or_default(),
        version: format!("{:?}", head.version),
        headers: fields(&head.headers),
        body: Bytes::new(),
        body_length: 0,
        trailers: Vec::new(),
        complete: true,
        connection,
    }
}

/// Fills in the body; returns its SHA-256 in hexadecimal digits.
async fn take_body(recorded: &mut Recorded, mut body: Incoming) -> String {
    let mut kept = Vec::new();
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            recorded.complete = false;
            break;
        };
        if let Some(trailers) = frame.trailers_ref() {
            recorded.trailers = fields(trailers);
        } else if let Some(data) = frame.data_ref() {
            hash.update(data);
            recorded.body_length += data.len() as u64;
            kept.extend(data.iter().take(KEPT_BODY.saturating_sub(kept.len())));
        }
    }
    recorded.body = kept.into();
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// A response's body; counts what is taken from it.
pub(super) struct Answer {
    shared: Arc<Shared>,
    source: Source,
}

enum Source {
    Whole(Option<Bytes>),
    Stream(Receiver<Frame<Bytes>>),
}

impl Answer {
    fn whole(shared: &Arc<Shared>, bytes: Bytes) -> Self {
        let source = Source::Whole((!bytes.is_empty()).then_some(bytes));
        Self { shared: Arc::clone(shared), source }
    }

    /// One frame at a time: whoever reads slowly slows the sender.
    fn stream(shared: &Arc<Shared>) -> (Sender<Frame<Bytes>>, Self) {
        let (sender, frames) = channel(1);
        (sender, Self { shared: Arc::clone(shared), source: Source::Stream(frames) })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match &mut self.source {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(Frame::data)),
            Source::Stream(frames) => frames.poll_recv(cx),
        };
        if let Poll::Ready(Some(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.shared.sent.fetch_add(length, Ordering::SeqCst);
        }
        frame.map(|frame| frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Source::Stream(_) => SizeHint::default(),
        }
    }
}
