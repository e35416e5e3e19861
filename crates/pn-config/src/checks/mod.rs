//! What spans more than one node: clashes, cycles, files, assertions, and what is doubtful. Ambiguous and shadowed
//! routes are found by the compiler in `pn-core`.

mod acme;
mod assertions;
mod certificates;
mod cycles;
mod doubts;
mod files;
mod listeners;
mod pem;
mod proxies;
mod reach;
#[cfg(test)]
mod tests;

use crate::lower::Context;

pub(crate) fn run(cx: &mut Context<'_>) {
    listeners::clashes(cx);
    cycles::run(cx);
    assertions::prove(cx);
    acme::run(cx);
    files::run(cx);
    proxies::run(cx);
    reach::run(cx);
    doubts::run(cx);
}
