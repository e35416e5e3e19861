//! The wakers of one connection. What is woken while its task is at work is seen before the task rests, so that the
//! task is called once for a batch, and only that part of the connection is looked at which has something to do.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Wake, Waker};

/// What the bells of one connection share: its task.
#[derive(Default)]
pub(super) struct Task {
    at_work: AtomicBool,
    waker: AtomicWaker,
}

impl Task {
    /// The task begins to look after the bells.
    pub(super) fn begin(&self, task: &Waker) {
        self.waker.register(task);
        self.at_work.store(true, SeqCst);
    }

    /// From now on a bell that rings calls the task. One that rang before must be looked at after this.
    pub(super) fn rest(&self) {
        self.at_work.store(false, SeqCst);
    }
}

/// The waker of one part of a connection.
pub(super) struct Bell {
    /// As after a call: nobody has looked at a new part yet.
    rang: AtomicBool,
    task: Arc<Task>,
}

impl Bell {
    pub(super) fn new(task: &Arc<Task>) -> Arc<Self> {
        Arc::new(Self { rang: AtomicBool::new(true), task: Arc::clone(task) })
    }

    /// Whether there is something to do, which is about to be done.
    pub(super) fn answer(&self) -> bool {
        self.rang.load(SeqCst) && self.rang.swap(false, SeqCst)
    }

    pub(super) fn rang(&self) -> bool {
        self.rang.load(SeqCst)
    }

    /// Says that there is something to do, to the task itself.
    pub(super) fn note(&self) {
        self.rang.store(true, SeqCst);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, SeqCst);
        if !self.task.at_work.load(SeqCst) {
            self.task.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Calls(AtomicU32);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn the_task_is_called_only_while_it_rests() {
        let calls = Arc::new(Calls::default());
        let task = Arc::new(Task::default());
        let (one, other) = (Bell::new(&task), Bell::new(&task));
        assert!(one.answer() && other.answer(), "a new part is looked at");
        task.begin(&Waker::from(Arc::clone(&calls)));
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!((calls.0.load(SeqCst), one.rang(), other.rang()), (0, true, false), "at work");
        assert!(one.answer() && !one.answer());
        task.rest();
        Waker::from(other).wake();
        assert_eq!(calls.0.load(SeqCst), 1, "at rest");
    }
}
