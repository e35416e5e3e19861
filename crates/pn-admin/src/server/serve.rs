//! Accepts, and serves within bounds: of connections, of time to send a head, of the size of a head. Bodies are not
//! read: nothing here takes one.

use super::bind::Bound;
use super::guard::Came;
use super::{Order, Shared, router};
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Scrapers and people; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// Also ends connections that ask nothing more.
const HEAD: Duration = Duration::from_secs(30);
const HEAD_BYTES: usize = 32 << 10;
/// When no connection can be accepted (no file descriptors left), trying again at once would only burn time.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens where it is told until it is told to stop.
pub(crate) async fn run(shared: &Arc<Shared>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let app = router::router(shared);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut listening: Option<JoinHandle<()>> = None;
    while let Some(Order::Listen(bound)) = orders.recv().await {
        if let Some(old) = listening.take() {
            old.abort();
        }
        listening = bound.and_then(|bound| listen(bound, &app, &room));
    }
}

fn listen(bound: Bound, app: &axum::Router, room: &Arc<Semaphore>) -> Option<JoinHandle<()>> {
    let (app, room) = (app.clone(), Arc::clone(room));
    let started = match bound {
        Bound::Tcp(listener) => TcpListener::from_std(listener).map(|listener| {
            tokio::spawn(async move {
                loop {
                    accept(
                        &room,
                        &app,
                        || async { listener.accept().await.map(|(stream, _)| stream) },
                        |stream| {
                            Came::Tcp(
                                stream.local_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |own| own.ip()),
                            )
                        },
                    )
                    .await;
                }
            })
        }),
        Bound::Unix(socket) => {
            let (listener, file) = socket.split();
            UnixListener::from_std(listener).map(|listener| {
                tokio::spawn(async move {
                    let _file = file;
                    loop {
                        accept(
                            &room,
                            &app,
                            || async { listener.accept().await.map(|(stream, _)| stream) },
                            |_| Came::Unix,
                        )
                        .await;
                    }
                })
            })
        }
    };
    started.inspect_err(|error| tracing::error!(%error, "the admin address cannot be served")).ok()
}

/// One connection, once there is room for it.
async fn accept<S, F>(
    room: &Arc<Semaphore>,
    app: &axum::Router,
    next: impl Fn() -> F,
    came: impl Fn(&S) -> Came,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>>,
{
    // The semaphore is never closed.
    let Ok(place) = Arc::clone(room).acquire_owned().await else { return };
    match next().await {
        Ok(stream) => {
            let (came, app) = (came(&stream), app.clone());
            tokio::spawn(async move {
                let _place = place;
                serve(stream, came, app).await;
            });
        }
        Err(error) => {
            tracing::debug!(%error, "a connection to the admin address was not accepted");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn serve<S>(stream: S, came: Came, app: axum::Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use tower::ServiceExt;
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(came);
        app.clone().oneshot(Request::from(request.map(Body::new)))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the admin address ended early");
    }
}
