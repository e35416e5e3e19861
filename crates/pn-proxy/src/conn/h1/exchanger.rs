//! Who serves exchanges: a future with room for one, lent to the connection that has a request. A connection that waits
//! for one has no such room, and a worker no more of it than exchanges go on at once; nothing is allocated or moved for
//! the next.

use super::{Asked, Talk};
use pn_http1::Turn;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// As many as are kept while nobody needs them, a few KiB each.
const SPARE_MAX: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Exchanger>> = const { RefCell::new(Vec::new()) };
}

struct Exchanger {
    /// Waits for the next exchange when one is over.
    serving: Pin<Box<dyn Future<Output = ()>>>,
    desk: Rc<Desk>,
}

/// What goes in and what comes out.
#[derive(Default)]
struct Desk {
    next: Cell<Option<(Rc<Talk>, Asked)>>,
    done: Cell<Option<Option<Turn>>>,
}

/// One exchange. Dropped before it is over, it takes its room along.
pub(super) struct Exchange(Option<Exchanger>);

impl Exchange {
    pub(super) fn begin(talk: Rc<Talk>, asked: Asked) -> Self {
        let exchanger = SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(Exchanger::new);
        exchanger.desk.next.set(Some((talk, asked)));
        Self(Some(exchanger))
    }
}

impl Exchanger {
    fn new() -> Self {
        let desk = Rc::<Desk>::default();
        Self { serving: Box::pin(serve(Rc::clone(&desk))), desk }
    }
}

async fn serve(desk: Rc<Desk>) {
    loop {
        let (talk, asked) = poll_fn(|_| desk.next.take().map_or(Poll::Pending, Poll::Ready)).await;
        let turn = talk.exchange(asked).await;
        desk.done.set(Some(turn));
    }
}

impl Future for Exchange {
    /// `None` when nothing more can be said to the client.
    type Output = Option<Turn>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        let Some(exchanger) = &mut self.0 else { return Poll::Ready(None) };
        // Pending also when it waits for the next.
        let polled = exchanger.serving.as_mut().poll(cx);
        match exchanger.desk.done.take() {
            Some(turn) => {
                let spare = self.0.take();
                SPARE.with_borrow_mut(|all| all.extend(spare.filter(|_| all.len() < SPARE_MAX)));
                Poll::Ready(turn)
            }
            None => polled.map(|()| None),
        }
    }
}
