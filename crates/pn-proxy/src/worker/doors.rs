//! The listening sockets of a worker, kept in step with the graph.

use crate::cx::WorkerCx;
use crate::listener::{self, Door};
use crate::plane::PlaneState;
use ahash::HashMap;
use pn_core::Current;
use pn_core::graph::ListenerNode;
use pn_model::ListenerName;
use pn_model::listener::BindAddress;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Doors {
    worker: Rc<WorkerCx>,
    open: HashMap<BindAddress, Rc<Door>>,
    /// The generation that the doors are in step with.
    current: Current,
}

impl Doors {
    pub(crate) fn new(worker: Rc<WorkerCx>) -> Self {
        let current = worker.current();
        Self { worker, open: HashMap::default(), current }
    }

    /// Opens what a generation adds, closes what it lacks, and leaves the rest.
    pub(crate) fn reconcile(&mut self, current: &Current) {
        let listeners = current.graph().listeners();
        let state = current.prepared::<PlaneState>();
        let mut wanted = HashMap::default();
        for listener in listeners {
            let known = state.and_then(|state| state.gates.get(listener.name()));
            let gate = known.map(Arc::clone).unwrap_or_default();
            for address in &listener.spec.addresses {
                let door = match self.open.remove(address) {
                    Some(door) => {
                        door.serve(Arc::clone(listener), Arc::clone(&gate));
                        Some(door)
                    }
                    None => state.and_then(|state| self.open(state, address, listener, &gate)),
                };
                wanted.extend(door.map(|door| (address.clone(), door)));
            }
        }
        let last = std::mem::replace(&mut self.current, current.clone());
        self.open.drain().for_each(|(_, door)| door.stop(Some(&last)));
        self.open = wanted;
        self.drain_replaced(&last, listeners);
    }

    fn open(
        &self,
        state: &PlaneState,
        address: &BindAddress,
        listener: &Arc<ListenerNode>,
        gate: &Arc<listener::Gate>,
    ) -> Option<Rc<Door>> {
        let socket = state.sockets.get(address)?.take(self.worker.index)?;
        let door = Rc::new(Door::new(Arc::clone(listener), Arc::clone(gate)));
        tokio::task::spawn_local(listener::run(Rc::clone(&door), socket, Rc::clone(&self.worker)));
        Some(door)
    }

    /// Connections of listeners that are gone, or whose clients are now asked for something else before their first
    /// request, finish what they are doing.
    fn drain_replaced(&self, last: &Current, listeners: &[Arc<ListenerNode>]) {
        for old in last.graph().listeners() {
            let new = listeners.iter().find(|new| new.name() == old.name());
            if !new.is_some_and(|new| same_entrance(old, new)) {
                self.drain_listener(last, old);
            }
        }
    }

    fn drain_listener(&self, last: &Current, listener: &ListenerNode) {
        let name = listener.name().clone();
        self.worker.ties.drain(Some(last), |tie| tie.listener == name);
        let (ties, patience) = (Rc::clone(&self.worker.ties), listener.spec.timeouts.drain);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(patience).await;
            let cut = ties.cut(|tie| tie.listener == name);
            if cut > 0 {
                tracing::warn!(listener = %name, cut, "connections of a removed listener were cut off");
            }
        });
    }

    /// Closes every door and lets every connection finish, as long as its listener allows and `at_most`. Returns how
    /// many had to be cut off.
    pub(crate) async fn shut(&mut self, at_most: Duration) -> u64 {
        let doors: Vec<_> = self.open.drain().map(|(_, door)| door).collect();
        doors.iter().for_each(|door| door.stop(None));
        let ties = Rc::clone(&self.worker.ties);
        ties.drain(None, |_| true);
        let begun = tokio::time::Instant::now();
        for door in doors {
            door.closed().await;
        }
        let mut cut = 0;
        for (patience, names) in self.patience(at_most) {
            if tokio::time::timeout_at(begun + patience, ties.emptied()).await.is_ok() {
                break;
            }
            cut += ties.cut(|tie| names.contains(&tie.listener));
        }
        cut += ties.cut(|_| true);
        cut
    }

    /// How long the connections of which listeners may go on, the shortest first.
    fn patience(&self, at_most: Duration) -> Vec<(Duration, Vec<ListenerName>)> {
        let mut by_length: std::collections::BTreeMap<Duration, Vec<ListenerName>> = Default::default();
        for node in self.current.graph().listeners() {
            by_length.entry(node.spec.timeouts.drain.min(at_most)).or_default().push(node.name().clone());
        }
        by_length.into_iter().collect()
    }
}

/// Whether a connection that was opened through `old` could as well have been through `new`.
fn same_entrance(old: &ListenerNode, new: &ListenerNode) -> bool {
    old.spec.tls == new.spec.tls && old.spec.proxy_protocol == new.spec.proxy_protocol
}
