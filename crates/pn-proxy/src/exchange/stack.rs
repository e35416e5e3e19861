//! Running middlewares inward, in order. Those that decide at once, which most do, cost a call each; from the first
//! that waits on, the rest goes on in a future of its own.

use super::env::ExchangeEnv;
use pn_core::{Dispatch, Env, Flow, Middleware, Reply, RequestContext};
use smallvec::SmallVec;
use std::sync::Arc;

/// Middlewares of a graph in their order: a stack, or a part of one.
pub(crate) type Stack<'g> = &'g [Arc<dyn Middleware>];

/// The middlewares that a request passed, in that order: of each stack as many as it did.
#[derive(Default)]
pub(crate) struct Passed<'g>(SmallVec<[Stack<'g>; 3]>);

/// What a stack decided.
pub(crate) enum Verdict {
    Pass,
    Reply(Box<Reply>),
    Dispatch(Box<Dispatch>),
}

/// Runs a stack inward until one of it decides, as far as nobody waits. `Err` is the rest of the stack, of which the first
/// waits, for [`inward_waiting`].
pub(crate) fn inward<'g>(
    stack: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Result<Verdict, Stack<'g>> {
    for (at, middleware) in stack.iter().enumerate() {
        let verdict = match middleware.on_request(cx, env as &dyn Env) {
            Flow::Continue | Flow::Gather(_) => continue,
            Flow::Await => return Err(passed.split(stack, at)),
            Flow::Respond(reply) => {
                passed.split(stack, at);
                Verdict::Reply(reply)
            }
            Flow::Dispatch(dispatch) => {
                passed.split(stack, at + 1);
                Verdict::Dispatch(dispatch)
            }
        };
        return Ok(verdict);
    }
    passed.add(stack);
    Ok(Verdict::Pass)
}

pub(crate) async fn inward_waiting<'g>(
    mut rest: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Verdict {
    while let [waiting, ..] = rest {
        env.wait();
        let (back, flow) = waiting.resume_request(cx.take(), env).await;
        *cx = back;
        if let Flow::Respond(reply) = flow {
            return Verdict::Reply(reply);
        }
        let behind = passed.split(rest, 1);
        if let Flow::Dispatch(dispatch) = flow {
            return Verdict::Dispatch(dispatch);
        }
        match inward(behind, cx, env, passed) {
            Ok(verdict) => return verdict,
            Err(waiting) => rest = waiting,
        }
    }
    Verdict::Pass
}

impl<'g> Passed<'g> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the last one.
    pub(crate) fn pop(&mut self) -> Option<&'g Arc<dyn Middleware>> {
        while let Some(stack) = self.0.last_mut() {
            if let Some((last, before)) = stack.split_last() {
                *stack = before;
                return Some(last);
            }
            self.0.pop();
        }
        None
    }

    fn add(&mut self, stack: Stack<'g>) {
        if !stack.is_empty() {
            self.0.push(stack);
        }
    }

    /// So many of a stack were passed. Returns the others.
    fn split(&mut self, stack: Stack<'g>, at: usize) -> Stack<'g> {
        let (passed, rest) = stack.split_at_checked(at).unwrap_or((stack, &[]));
        self.add(passed);
        rest
    }
}
