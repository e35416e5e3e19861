//! `in-flight`: so many requests of one client at a time, each counted until its response has been sent.

use crate::Built;
use crate::client_key::Keyer;
use crate::slots::{Counts, Keys};
use ahash::RandomState;
use http::StatusCode;
use pn_core::context::Places;
use pn_core::{BuildContext, Env, Flow, Middleware, Reply, RequestContext};
use pn_model::middleware::ClientKey;
use std::sync::Arc;

#[derive(Debug)]
struct InFlight {
    most: u64,
    keyer: Keyer,
    counted: Arc<Counted>,
}

#[derive(Debug)]
struct Counted {
    seed: RandomState,
    counts: Counts,
}

impl Places for Counted {
    fn leave(&self, at: usize) {
        self.counts.leave(at);
    }
}

pub(crate) fn build(amount: u64, by: &ClientKey, cx: &mut BuildContext<'_>) -> Built {
    let keyer = Keyer::new(by, "in-flight")?;
    // The amount does not define the state: those that are on their way count under a new bound too.
    let counted = cx.state(&format!("{by:?}"), || Counted::new(keyer.keys()));
    Ok(Arc::new(InFlight { most: amount, keyer, counted }))
}

impl Counted {
    fn new(keys: Keys) -> Self {
        Self { seed: RandomState::default(), counts: Counts::new(keys) }
    }
}

#[cold]
fn too_many() -> Flow {
    Flow::Respond(Box::new(Reply::text(StatusCode::TOO_MANY_REQUESTS, "429 Too Many Requests\n")))
}

impl Middleware for InFlight {
    fn hears_responses(&self) -> bool {
        false
    }

    fn on_request(&self, cx: &mut RequestContext, _env: &dyn Env) -> Flow {
        let key = self.keyer.key(cx, &self.counted.seed);
        let Some(at) = self.counted.counts.enter(key, self.most) else {
            return too_many();
        };
        let counted = Arc::<Counted>::clone(&self.counted);
        cx.extensions_mut().hold(counted, at);
        Flow::Continue
    }
}
