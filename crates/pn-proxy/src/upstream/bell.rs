//! The waker of a connection without a task of its own. It is the same for the connection's life, so that nothing is
//! registered anew for each request; it knows which calls concern nobody, and remembers that there was one.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Wake, Waker};

#[derive(Default)]
pub(super) struct Bell {
    /// Whether a task uses the connection, and is called.
    live: AtomicBool,
    /// It rang since the connection was last looked after.
    rang: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    /// The connection is about to be polled for this task.
    pub(super) fn serve(&self, task: &Waker) {
        self.rang.store(false, Relaxed);
        self.live.store(true, Relaxed);
        self.task.register(task);
    }

    /// The connection is about to be polled for nobody.
    pub(super) fn rest(&self) {
        self.rang.store(false, Relaxed);
        self.idle();
    }

    /// Nobody uses the connection any more.
    pub(super) fn idle(&self) {
        self.live.store(false, Relaxed);
        // A task that has ended is not kept in memory.
        drop(self.task.take());
    }

    /// Whether anything happened on the connection that nobody has looked at.
    pub(super) fn rang(&self) -> bool {
        self.rang.load(Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Relaxed);
        if self.live.load(Relaxed) {
            self.task.wake();
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
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn it_calls_the_task_at_work_and_remembers_for_the_rest() {
        let (bell, calls) = (Arc::new(Bell::default()), Arc::new(Calls::default()));
        let (ring, task) = (Waker::from(Arc::clone(&bell)), Waker::from(Arc::clone(&calls)));
        let seen = || (calls.0.load(Relaxed), bell.rang());
        ring.wake_by_ref();
        assert_eq!(seen(), (0, true), "idle");
        bell.serve(&task);
        assert_eq!(seen(), (0, false), "looked after");
        ring.wake_by_ref();
        assert_eq!(seen(), (1, true), "at work");
        bell.idle();
        ring.wake_by_ref();
        assert_eq!(seen(), (1, true), "idle again");
        bell.rest();
        assert_eq!(seen(), (1, false), "looked after for nobody");
        assert_eq!(Arc::strong_count(&calls), 2, "the task is not kept");
    }
}
