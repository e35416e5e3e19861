//! Wakers that remember that they rang. What they belong to is looked after only when there is something to do, and a task
//! is called only when that would not be seen anyway: not while it is at work, and not for what nobody uses.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Wake, Waker};

/// The task that bells call.
#[derive(Default)]
pub(crate) struct Task {
    /// Whether a bell that rings calls it.
    called: AtomicBool,
    waker: AtomicWaker,
}

impl Task {
    /// The task begins to look after its bells, which need not call it meanwhile.
    pub(crate) fn begin(&self, task: &Waker) {
        self.waker.register(task);
        put(&self.called, false);
    }

    /// From now on a bell that rings calls the task. One that rang before must be looked at after this.
    pub(crate) fn rest(&self) {
        put(&self.called, true);
    }

    fn serve(&self, task: &Waker) {
        self.waker.register(task);
        put(&self.called, true);
    }

    /// A task that has ended is not kept in memory.
    fn leave(&self) {
        put(&self.called, false);
        drop(self.waker.take());
    }
}

/// Costs next to nothing where there is nothing to change.
fn put(flag: &AtomicBool, value: bool) {
    if flag.load(Relaxed) != value {
        flag.store(value, SeqCst);
    }
}

/// The waker of one thing.
pub(crate) struct Bell {
    rang: AtomicBool,
    task: Arc<Task>,
}

/// One of several of a task that looks after itself.
impl Bell {
    /// As after a call: nobody has looked at it yet.
    pub(crate) fn of(task: &Arc<Task>) -> Arc<Self> {
        Arc::new(Self { rang: AtomicBool::new(true), task: Arc::clone(task) })
    }

    /// Whether there is something to do, which is about to be done.
    pub(crate) fn answer(&self) -> bool {
        self.rang.load(SeqCst) && self.rang.swap(false, SeqCst)
    }

    pub(crate) fn rang(&self) -> bool {
        self.rang.load(SeqCst)
    }

    /// Says that there is something to do, to the task itself.
    pub(crate) fn note(&self) {
        self.rang.store(true, SeqCst);
    }
}

/// The only one of a thing that one task after the other uses, and nobody in between.
impl Bell {
    pub(crate) fn alone() -> Arc<Self> {
        Arc::new(Self { rang: AtomicBool::new(false), task: Arc::default() })
    }

    /// It is about to be looked after for this task, which is called from now on.
    pub(crate) fn serve(&self, task: &Waker) {
        put(&self.rang, false);
        self.task.serve(task);
    }

    /// It is about to be looked after for nobody.
    pub(crate) fn idle(&self) {
        put(&self.rang, false);
        self.task.leave();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, SeqCst);
        if self.task.called.load(SeqCst) {
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
    fn a_task_is_called_only_while_it_rests() {
        let calls = Arc::new(Calls::default());
        let task = Arc::new(Task::default());
        let (one, other) = (Bell::of(&task), Bell::of(&task));
        assert!(one.answer() && other.answer(), "a new part is looked at");
        task.begin(&Waker::from(Arc::clone(&calls)));
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!((calls.0.load(SeqCst), one.rang(), other.rang()), (0, true, false), "at work");
        assert!(one.answer() && !one.answer());
        task.rest();
        Waker::from(other).wake();
        assert_eq!(calls.0.load(SeqCst), 1, "at rest");
    }

    #[test]
    fn nobody_is_called_for_what_nobody_uses() {
        let (bell, calls) = (Bell::alone(), Arc::new(Calls::default()));
        let (ring, task) = (Waker::from(Arc::clone(&bell)), Waker::from(Arc::clone(&calls)));
        let seen = || (calls.0.load(SeqCst), bell.rang());
        ring.wake_by_ref();
        assert_eq!(seen(), (0, true), "not in use");
        bell.serve(&task);
        assert_eq!(seen(), (0, false), "looked after");
        ring.wake_by_ref();
        assert_eq!(seen(), (1, true), "in use");
        bell.idle();
        assert_eq!(seen(), (1, false), "looked after for nobody");
        ring.wake_by_ref();
        assert_eq!(seen(), (1, true), "idle");
        assert_eq!(Arc::strong_count(&calls), 2, "the task is not kept");
    }
}
