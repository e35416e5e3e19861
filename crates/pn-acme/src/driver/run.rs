//! Plays a procedure of `acme` to its end: sends what it says, waits as it says, presents what it says.

use super::presenters::Presenters;
use super::transport::Transport;
use crate::acme::{
    AcmeFault, Action, Challenge, HttpRequest, HttpResponse, Input, Machine, Step, TransportError,
};
use crate::storage::{BoxFuture, Clock};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How a CA is spoken to; a simulated one without sockets.
pub(super) trait Wire: Send + Sync + fmt::Debug {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, TransportError>>;
}

impl Wire for Transport {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(Self::send(self, request))
    }
}

/// What a procedure has of the world.
pub(super) struct World<'a> {
    pub(super) wire: &'a dyn Wire,
    pub(super) presenters: &'a Presenters,
    pub(super) clock: &'a Clock,
    /// What is presented at the moment: to be withdrawn when the procedure is dropped on its way.
    pub(super) standing: &'a Standing,
}

/// By whom it is presented.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<Vec<(Presenters, Challenge)>>);

/// Longest sleep at once, so that a clock that is set while it lasts is noticed.
const NAP: u64 = 30;
/// Longest that a certificate's lock is held for what a procedure left: a name server may be gone.
const CLEARING: Duration = Duration::from_secs(300);

pub(super) async fn run<M: Machine>(mut machine: M, world: &World<'_>) -> Result<M::Output, AcmeFault> {
    let mut input = Input::Start;
    loop {
        let now = (world.clock)();
        let action = match machine.advance(input, now) {
            Step::Done(outcome) => return outcome,
            Step::Do(action) => action,
        };
        input = match action {
            Action::Send(request) => Input::Answer(world.wire.send(&request).await),
            Action::Wait { until } => {
                tokio::time::sleep(Duration::from_secs(until.saturating_sub(now).clamp(1, NAP))).await;
                Input::Elapsed
            }
            Action::Present(challenges) => {
                world.standing.add(world.presenters, &challenges);
                Input::Presented(world.presenters.present(&challenges).await)
            }
            Action::Withdraw(challenges) => {
                world.standing.remove(&challenges);
                withdraw(world.presenters, &challenges).await;
                Input::Presented(Ok(()))
            }
        };
    }
}

async fn withdraw(presenters: &Presenters, challenges: &[Challenge]) {
    if let Err(error) = presenters.withdraw(challenges).await {
        tracing::warn!(error, "a challenge of ACME was left behind");
    }
}

impl Standing {
    /// Withdraws what a procedure left that was dropped on its way.
    pub(super) async fn clear(&self) {
        let left = std::mem::take(&mut *self.lock());
        let each = async {
            for (presenters, challenge) in left {
                withdraw(&presenters, &[challenge]).await;
            }
        };
        if timeout(CLEARING, each).await.is_err() {
            tracing::warn!("not all challenges of ACME were withdrawn in time");
        }
    }

    fn add(&self, presenters: &Presenters, challenges: &[Challenge]) {
        self.lock().extend(challenges.iter().map(|one| (presenters.clone(), one.clone())));
    }

    fn remove(&self, challenges: &[Challenge]) {
        self.lock().retain(|(_, one)| !challenges.contains(one));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Presenters, Challenge)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
