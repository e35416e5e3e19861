//! Where a worker's streams are served. What serves a stream is large, and moving it into place costs more than much of
//! what it does; so it stays where it is, and serves one stream after the other, of whichever connection.

use super::stream::{Request, serve};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Seats that a worker keeps for the next streams. More are in use only while there are more streams at once.
const SPARE_MAX: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

struct Seat {
    desk: Rc<Desk>,
    /// Never ends.
    serving: Pin<Box<dyn Future<Output = ()>>>,
}

/// Between a seat and whoever has taken it.
#[derive(Default)]
struct Desk {
    request: Cell<Option<Request>>,
    served: Cell<bool>,
}

/// A stream that is being served. Dropped before its end, it resets the stream, and its seat is not used again.
pub(super) struct Stream(Option<Seat>);

impl Stream {
    pub(super) fn new(request: Request) -> Self {
        let seat = SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(Seat::new);
        seat.desk.request.set(Some(request));
        Self(Some(seat))
    }
}

impl Future for Stream {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(seat) = &mut self.0 else { return Poll::Ready(()) };
        let ended = seat.serving.as_mut().poll(cx).is_ready();
        if !ended && !seat.desk.served.take() {
            return Poll::Pending;
        }
        if let Some(seat) = self.0.take().filter(|_| !ended) {
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < SPARE_MAX {
                    spare.push(seat);
                }
            });
        }
        Poll::Ready(())
    }
}

impl Seat {
    fn new() -> Self {
        let desk = Rc::<Desk>::default();
        Self { serving: Box::pin(serve_all(Rc::clone(&desk))), desk }
    }
}

async fn serve_all(desk: Rc<Desk>) {
    loop {
        let request = poll_fn(|_| desk.request.take().map_or(Poll::Pending, Poll::Ready)).await;
        serve(request).await;
        desk.served.set(true);
    }
}
