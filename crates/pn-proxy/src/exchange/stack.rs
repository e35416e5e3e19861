//! Running middlewares: inward in order, outward in reverse for those that let the request through.

use super::env::ExchangeEnv;
use pn_core::{Dispatch, Env, Flow, Middleware, Reply, RequestContext, ResponseContext};
use smallvec::SmallVec;
use std::sync::Arc;

/// The middlewares that a request passed, in that order.
pub(crate) type Passed<'g> = SmallVec<[&'g Arc<dyn Middleware>; 8]>;

/// What a stack decided.
pub(crate) enum Verdict {
    Pass,
    Reply(Box<Reply>),
    Dispatch(Box<Dispatch>),
}

/// Runs a stack inward until one of it decides.
pub(crate) async fn inward<'g>(
    stack: &'g [Arc<dyn Middleware>],
    mut cx: RequestContext,
    env: &ExchangeEnv,
    passed: &mut Passed<'g>,
) -> (RequestContext, Verdict) {
    for middleware in stack {
        let mut flow = middleware.on_request(&mut cx, env as &dyn Env);
        if matches!(flow, Flow::Await) {
            (cx, flow) = middleware.resume_request(cx, env).await;
        }
        match flow {
            Flow::Continue | Flow::Await => passed.push(middleware),
            Flow::Respond(reply) => return (cx, Verdict::Reply(reply)),
            Flow::Dispatch(dispatch) => {
                passed.push(middleware);
                return (cx, Verdict::Dispatch(dispatch));
            }
        }
    }
    (cx, Verdict::Pass)
}

/// Runs one middleware outward.
pub(crate) async fn outward(
    middleware: &Arc<dyn Middleware>,
    mut cx: ResponseContext,
    env: &ExchangeEnv,
) -> (ResponseContext, Verdict) {
    let mut flow = middleware.on_response(&mut cx, env as &dyn Env);
    if matches!(flow, Flow::Await) {
        (cx, flow) = middleware.resume_response(cx, env).await;
    }
    let verdict = match flow {
        Flow::Continue | Flow::Await => Verdict::Pass,
        Flow::Respond(reply) => Verdict::Reply(reply),
        Flow::Dispatch(dispatch) => Verdict::Dispatch(dispatch),
    };
    (cx, verdict)
}
