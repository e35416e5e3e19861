//! Running middlewares inward, in order. Those that decide at once, which most do, cost a call each; from the first
//! that waits on, the rest goes on in a future of its own.

use super::env::ExchangeEnv;
use pn_core::{Dispatch, Env, Flow, Middleware, Reply, RequestContext};
use smallvec::SmallVec;
use std::sync::Arc;

/// The middlewares that a request passed, in that order.
pub(crate) type Passed<'g> = SmallVec<[&'g Arc<dyn Middleware>; 8]>;

type Stack<'g> = &'g [Arc<dyn Middleware>];

/// What a stack decided.
pub(crate) enum Verdict {
    Pass,
    Reply(Box<Reply>),
    Dispatch(Box<Dispatch>),
}

/// Runs a stack inward until one of it decides.
pub(crate) async fn inward<'g>(
    stack: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Verdict {
    match inward_at_once(stack, cx, env, passed) {
        Ok(verdict) => verdict,
        Err(waiting) => Box::pin(inward_waiting(waiting, cx, env, passed)).await,
    }
}

/// As far as nobody waits. `Err` is the rest of the stack, of which the first waits.
fn inward_at_once<'g>(
    stack: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Result<Verdict, Stack<'g>> {
    let mut rest = stack;
    while let [middleware, behind @ ..] = rest {
        let flow = middleware.on_request(cx, env as &dyn Env);
        if matches!(flow, Flow::Await) {
            return Err(rest);
        }
        if let Some(verdict) = decide(flow, middleware, passed) {
            return Ok(verdict);
        }
        rest = behind;
    }
    Ok(Verdict::Pass)
}

async fn inward_waiting<'g>(
    mut rest: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Verdict {
    while let [waiting, behind @ ..] = rest {
        let (back, flow) = waiting.resume_request(cx.take(), env).await;
        *cx = back;
        if let Some(verdict) = decide(flow, waiting, passed) {
            return verdict;
        }
        match inward_at_once(behind, cx, env, passed) {
            Ok(verdict) => return verdict,
            Err(waiting) => rest = waiting,
        }
    }
    Verdict::Pass
}

/// `None` when the next one is asked.
fn decide<'g>(flow: Flow, middleware: &'g Arc<dyn Middleware>, passed: &mut Passed<'g>) -> Option<Verdict> {
    match flow {
        Flow::Continue | Flow::Await | Flow::Gather(_) => {
            passed.push(middleware);
            None
        }
        Flow::Respond(reply) => Some(Verdict::Reply(reply)),
        Flow::Dispatch(dispatch) => {
            passed.push(middleware);
            Some(Verdict::Dispatch(dispatch))
        }
    }
}
