//! How procedures are written: as async functions that await what the driver does for them, without a runtime. The
//! compiler makes the state machine; nothing but [`Machine::advance`] ever polls it, so that it runs in virtual time too.

use super::fault::{AcmeFault, FaultKind};
use super::machine::{
    Action, Challenge, HttpRequest, HttpResponse, Input, Machine, Step, Time, TransportError,
};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A procedure of this module on its way.
pub struct Procedure<T> {
    outside: Outside,
    /// `None` once it has ended.
    future: Option<Pin<Box<dyn Future<Output = Result<T, AcmeFault>> + Send>>>,
}

impl<T> Procedure<T> {
    pub(crate) fn new<F>(procedure: impl FnOnce(Outside) -> F) -> Self
    where
        F: Future<Output = Result<T, AcmeFault>> + Send + 'static,
    {
        let outside = Outside::default();
        Self { future: Some(Box::pin(procedure(outside.clone()))), outside }
    }
}

impl<T> Machine for Procedure<T> {
    type Output = T;

    fn advance(&mut self, input: Input, now: Time) -> Step<T> {
        let Some(future) = &mut self.future else {
            return Step::Done(Err(AcmeFault::internal("the procedure has ended already")));
        };
        self.outside.tell(input, now);
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.future = None;
            return Step::Done(result);
        }
        match self.outside.slot().action.take() {
            Some(action) => Step::Do(action),
            None => Step::Done(Err(AcmeFault::internal("the procedure was not told what it waits for"))),
        }
    }
}

impl<T> fmt::Debug for Procedure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure").field("ended", &self.future.is_none()).finish_non_exhaustive()
    }
}

/// The driver, as a procedure sees it.
#[derive(Clone, Default)]
pub(crate) struct Outside(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    now: Time,
    action: Option<Action>,
    input: Option<Input>,
}

impl Outside {
    pub(crate) fn now(&self) -> Time {
        self.slot().now
    }

    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        match self.ask(Action::Send(request)).await {
            Input::Answer(answer) => answer,
            other => Err(TransportError(format!("the driver answered a request with {other:?}"))),
        }
    }

    /// A clock that is set back does not make it longer, nor does a driver that wakes too early make it shorter.
    pub(crate) async fn wait(&self, seconds: u64) {
        let mut until = self.now().saturating_add(seconds);
        while self.now() < until {
            until = until.min(self.now().saturating_add(seconds));
            self.ask(Action::Wait { until }).await;
        }
    }

    pub(crate) async fn present(&self, challenges: Vec<Challenge>) -> Result<(), AcmeFault> {
        match self.ask(Action::Present(challenges)).await {
            Input::Presented(outcome) => outcome.map_err(|text| AcmeFault::new(FaultKind::Present, text)),
            other => Err(AcmeFault::internal(format!("the driver answered challenges with {other:?}"))),
        }
    }

    pub(crate) async fn withdraw(&self, challenges: Vec<Challenge>) {
        self.ask(Action::Withdraw(challenges)).await;
    }

    async fn ask(&self, action: Action) -> Input {
        self.slot().action = Some(action);
        poll_fn(|_| self.slot().input.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    fn tell(&self, input: Input, now: Time) {
        let mut slot = self.slot();
        slot.now = now;
        slot.input = (!matches!(input, Input::Start)).then_some(input);
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // Never held while anything else runs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(step: &Step<Time>) -> Option<Time> {
        match step {
            Step::Do(Action::Wait { until }) => Some(*until),
            _ => None,
        }
    }

    #[test]
    fn a_wait_holds_whatever_the_clock_does() {
        for (times, expected) in [
            (&[100, 110][..], &[Some(110), None][..]),
            (&[100, 105, 110], &[Some(110), Some(110), None]),
            (&[100, 40, 49, 50], &[Some(110), Some(50), Some(50), None]),
            (&[100, 9999], &[Some(110), None]),
        ] {
            let mut machine = Procedure::new(|outside| async move {
                outside.wait(10).await;
                Ok(outside.now())
            });
            for (index, (now, expected)) in times.iter().zip(expected).enumerate() {
                let input = if index == 0 { Input::Start } else { Input::Elapsed };
                let step = machine.advance(input, *now);
                assert_eq!(until(&step), *expected, "{times:?} at {index}");
            }
            assert!(matches!(machine.advance(Input::Elapsed, 0), Step::Done(Err(_))), "ended");
        }
    }

    #[test]
    fn a_driver_that_answers_something_else_ends_the_procedure() {
        let mut machine = Procedure::new(|outside| async move { outside.present(Vec::new()).await });
        assert!(matches!(machine.advance(Input::Start, 0), Step::Do(Action::Present(_))));
        let Step::Done(Err(fault)) = machine.advance(Input::Elapsed, 0) else { panic!("goes on") };
        assert_eq!(fault.kind, FaultKind::Internal);
    }
}
