//! Smooth weighted round robin (as nginx has it): each server is chosen in proportion to its weight, and no server
//! twice in a row while another is due. One wheel a worker and service.

use super::from_start;
use pn_core::graph::ServerNode;
use pn_core::state::BalanceState;
use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering::Relaxed;

/// Turns that a new wheel is ahead at most, so that setting one up costs little whatever the weights.
const LEAD_MAX: u64 = 256;

pub(in crate::upstream) enum Wheel {
    /// All weights are equal, or 0: who is next.
    Even(Cell<usize>),
    /// How much each server is due.
    Weighted(RefCell<Box<[i64]>>),
}

impl Wheel {
    /// A wheel that begins where the last worker's did not, so that workers do not all start with the first server.
    pub(in crate::upstream) fn new(servers: &[ServerNode], state: &BalanceState) -> Self {
        let lead = state.offset.fetch_add(1, Relaxed) % LEAD_MAX;
        let wheel = if is_even(servers) {
            Self::Even(Cell::new(0))
        } else {
            Self::Weighted(RefCell::new(vec![0; servers.len()].into()))
        };
        for _ in 0..lead {
            wheel.next(servers, |_, node| node.spec.weight > 0);
        }
        wheel
    }

    /// Whether the wheel can go on for these servers, as many as it was made for.
    pub(in crate::upstream) fn fits(&self, servers: &[ServerNode]) -> bool {
        matches!(self, Self::Even(_)) == is_even(servers)
    }

    pub(in crate::upstream) fn next(
        &self,
        servers: &[ServerNode],
        may: impl Fn(usize, &ServerNode) -> bool,
    ) -> Option<usize> {
        match self {
            Self::Even(next) => {
                let (index, _) = from_start(servers, next.get()).find(|&(index, node)| may(index, node))?;
                next.set(if index + 1 < servers.len() { index + 1 } else { 0 });
                Some(index)
            }
            Self::Weighted(due) => next_weighted(&mut due.borrow_mut(), servers, may),
        }
    }
}

fn is_even(servers: &[ServerNode]) -> bool {
    let mut weights = servers.iter().map(|node| node.spec.weight).filter(|&weight| weight > 0);
    let first = weights.next();
    weights.all(|weight| Some(weight) == first)
}

fn next_weighted(
    due: &mut [i64],
    servers: &[ServerNode],
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (index, (node, due)) in servers.iter().zip(&mut *due).enumerate() {
        if !may(index, node) {
            continue;
        }
        let weight = i64::from(node.spec.weight);
        total += weight;
        *due += weight;
        if best.is_none_or(|(_, most)| *due > most) {
            best = Some((index, *due));
        }
    }
    let (index, _) = best?;
    if let Some(due) = due.get_mut(index) {
        *due -= total;
    }
    Some(index)
}
