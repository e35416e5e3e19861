//! Running middlewares inward, in order. Those that decide at once, which most do, cost a call each; from the first
//! that waits on, the rest goes on in a future of its own.

use super::env::ExchangeEnv;
use pn_core::{Dispatch, Env, Flow, Reply, RequestContext, Stacked};
use smallvec::SmallVec;

/// Middlewares of a graph in their order: a stack, or a part of one.
pub(crate) type Stack<'g> = &'g [Stacked];

/// The middlewares that a request passed, in that order: of each stack as many as it did, where any of them hears
/// responses.
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
    let mut rest = stack;
    while let [first, behind @ ..] = rest {
        let flow = first.middleware.on_request(cx, env as &dyn Env);
        if !matches!(flow, Flow::Continue | Flow::Gather(_)) {
            return stop(flow, stack, stack.len() - rest.len(), passed);
        }
        rest = behind;
    }
    passed.add(stack);
    Ok(Verdict::Pass)
}

/// The one at `at` decided, or waits. Apart, as most do neither.
#[cold]
fn stop<'g>(flow: Flow, stack: Stack<'g>, at: usize, passed: &mut Passed<'g>) -> Result<Verdict, Stack<'g>> {
    match flow {
        Flow::Respond(reply) => {
            passed.split(stack, at);
            Ok(Verdict::Reply(reply))
        }
        Flow::Dispatch(dispatch) => {
            passed.split(stack, at + 1);
            Ok(Verdict::Dispatch(dispatch))
        }
        Flow::Await | Flow::Continue | Flow::Gather(_) => Err(passed.split(stack, at)),
    }
}

pub(crate) async fn inward_waiting<'g>(
    mut rest: Stack<'g>,
    cx: &mut RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> Verdict {
    while let [waiting, ..] = rest {
        env.wait();
        let (back, flow) = waiting.middleware.resume_request(cx.take(), env).await;
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

    /// Takes the last stack of it.
    pub(crate) fn pop(&mut self) -> Option<Stack<'g>> {
        self.0.pop()
    }

    /// Adds middlewares that follow those that are there.
    pub(crate) fn add(&mut self, stack: Stack<'g>) {
        if stack.iter().any(|one| one.hears_responses) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use pn_core::Middleware;
    use std::sync::Arc;

    #[derive(Debug)]
    struct One {
        hears: bool,
    }

    impl Middleware for One {
        fn hears_responses(&self) -> bool {
            self.hears
        }
    }

    #[test]
    fn a_stack_that_hears_no_response_has_no_way_out() {
        for (hears, expected) in
            [(&[][..], true), (&[false, false], true), (&[false, true], false), (&[true, false], false)]
        {
            let one = |&hears: &bool| Stacked::from(Arc::new(One { hears }) as Arc<dyn Middleware>);
            let stack: Vec<Stacked> = hears.iter().map(one).collect();
            let mut passed = Passed::default();
            passed.add(&stack);
            assert_eq!(passed.is_empty(), expected, "{hears:?}");
        }
    }
}
