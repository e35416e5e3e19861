//! Streams of HTTP/2 whose client takes nothing: flow control hides that from the socket, so each stream is watched by
//! itself. The task of a stream that stalls is dropped, which resets the stream and no other.

use super::PanicProbe;
use super::pulse::after;
use crate::cx::ConnCx;
use crate::worker::Clock;
use hyper::rt::Executor;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep_until};

/// Since when one stream waits for its client. 0: it does not.
pub(crate) struct Stall {
    clock: Clock,
    since: Cell<u64>,
}

impl Stall {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, since: Cell::new(0) }
    }

    /// A piece was handed over and waits for the client; or the next is asked for, since the client has room.
    pub(crate) fn handed_over(&self, waits: bool) {
        self.since.set(if waits { self.clock.now() } else { 0 });
    }
}

/// Spawns the tasks of one HTTP/2 connection on its worker.
#[derive(Clone)]
pub(crate) struct StreamExec(pub(crate) Rc<ConnCx>);

impl<F: Future + 'static> Executor<F> for StreamExec {
    fn execute(&self, task: F) {
        // hyper calls the service and spawns the stream's task in one go, so that the two belong together.
        match self.0.take_stream() {
            Some(stall) => {
                tokio::task::spawn_local(unless_stalled(Box::pin(task), stall, Rc::clone(&self.0)));
            }
            None => {
                tokio::task::spawn_local(async move {
                    task.await;
                });
            }
        }
    }
}

/// In a box, the task is moved once; without, there would be room for it twice.
async fn unless_stalled<F: Future>(mut task: Pin<Box<F>>, stall: Rc<Stall>, conn: Rc<ConnCx>) {
    let _probe = PanicProbe { worker: &conn.worker, listener: conn.listener_name.as_str() };
    let limit = conn.timeouts.body_idle;
    let mut timer = None;
    poll_fn(|cx| {
        if task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match stall.since.get() {
            0 => Poll::Pending,
            since => poll_stalled(&mut timer, &stall, since, limit, cx),
        }
    })
    .await;
}

/// The timer is made once a stream first waits, and stays until it goes off.
fn poll_stalled(
    timer: &mut Option<Pin<Box<Sleep>>>,
    stall: &Stall,
    since: u64,
    limit: Duration,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(deadline) = after(since, limit) else { return Poll::Pending };
    let at = stall.clock.instant(deadline);
    let sleep = timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
    while sleep.as_mut().poll(cx).is_ready() {
        if stall.clock.now() >= deadline {
            tracing::debug!("an HTTP/2 stream was reset: its client takes nothing");
            return Poll::Ready(());
        }
        sleep.as_mut().reset(at);
    }
    Poll::Pending
}
