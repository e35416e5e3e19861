//! From the resolved tree to the semantic model: references, hosts, paths, addresses, rules. What a single key may
//! hold is checked before, by the schema; what spans more than one node after, in `checks`.

mod acme;
mod branches;
mod context;
mod listeners;
mod middlewares;
mod process;
mod routes;
mod rules;
mod services;
mod sites;
mod targets;
#[cfg(test)]
mod tests;
mod tls;
mod transports;
mod users;

pub(crate) use branches::within;
pub(crate) use context::{Context, FileUse, FileWhat, Surroundings, one};

use crate::diagnostic::Diagnostics;
use crate::resolved::Resolved;
use crate::{checks, load::LoadOptions, sources::Sources};
use pn_model::{Model, Runtime};

/// How the process is to run, as far as that can be read.
pub(crate) fn runtime(resolved: &Resolved, sources: &Sources, options: &LoadOptions<'_>) -> Runtime {
    let mut said_elsewhere = Diagnostics::default();
    process::runtime(&Context::new(resolved, Surroundings { sources, options }, &mut said_elsewhere))
}

/// The model, as far as it can be built; findings go to `out`. `None` when nothing sensible could be built.
pub(crate) fn model(
    resolved: &Resolved,
    sources: &Sources,
    options: &LoadOptions<'_>,
    out: &mut Diagnostics,
) -> Option<Model> {
    let mut cx = Context::new(resolved, Surroundings { sources, options }, out);
    process::lower(&mut cx);
    listeners::lower(&mut cx);
    tls::lower(&mut cx);
    transports::lower(&mut cx);
    middlewares::lower(&mut cx);
    services::lower(&mut cx);
    sites::lower(&mut cx);
    rules::lower(&mut cx);
    listeners::connect(&mut cx);
    checks::run(&mut cx);
    let refused = cx.has_errors();
    users::read(&mut cx.model, options, refused);
    Some(cx.model)
}
