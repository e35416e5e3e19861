//! Active health checks: each server is asked once for the whole process, on a thread of its own, and what is found
//! is an atomic cell that every worker reads. A check that a change leaves as it was goes on as if nothing happened.

mod check;
mod grpc;
mod probe;

use super::names::Names;
use super::tls::ClientConfigs;
use ahash::HashMap;
use check::Check;
use pn_core::graph::ServiceNodeKind;
use pn_core::{Generation, GraphSource, RouterGraph};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, LocalSet, spawn_local};

/// The running checks. Dropped, they end.
#[derive(Debug)]
pub(crate) struct HealthChecks {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HealthChecks {
    /// Follows the graphs of `source` by itself. `tls` finds what was prepared for a generation.
    pub(crate) fn start(
        source: GraphSource,
        tls: impl Fn(&Generation) -> ClientConfigs + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("health".into()).spawn(move || {
            LocalSet::new().block_on(&runtime, follow(&source, tls, stopped));
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for HealthChecks {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            thread.join().unwrap_or_default();
        }
    }
}

/// Every server, by service and URL, and whether active checks find it up. Servers without checks count as up.
pub(crate) fn servers_up(graph: &RouterGraph) -> impl Iterator<Item = (&str, &str, bool)> {
    graph.services().iter().flat_map(|service| {
        let servers = match &service.kind {
            ServiceNodeKind::Servers(servers) => &*servers.servers,
            _ => &[],
        };
        servers.iter().map(|one| (&*service.label, &*one.label, one.state.healthy.load(Relaxed)))
    })
}

async fn follow(
    source: &GraphSource,
    tls: impl Fn(&Generation) -> ClientConfigs,
    mut stopped: oneshot::Receiver<()>,
) {
    let names = Names::system();
    let mut reader = source.reader();
    let mut running = Running::default();
    let first = reader.current().clone();
    running.follow(first.graph(), &tls(&first), &names);
    drop(first);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            current = poll_fn(|cx| reader.poll_changed(cx)) => {
                running.follow(current.graph(), &tls(&current), &names);
            }
        }
    }
}

/// The checks under way, by the state they write, which they keep alive.
#[derive(Default)]
struct Running(HashMap<usize, (Rc<Check>, Task)>);

impl Running {
    fn follow(&mut self, graph: &RouterGraph, tls: &ClientConfigs, names: &Rc<Names>) {
        let mut old = std::mem::take(&mut self.0);
        for check in checks_of(graph, tls) {
            let key = Arc::as_ptr(&check.state) as usize;
            let entry = match old.remove(&key) {
                Some((running, task)) if *running == check => (running, task),
                _ => {
                    let check = Rc::new(check);
                    let running = spawn_local(Rc::clone(&check).run(Rc::clone(names)));
                    (check, Task(running.abort_handle()))
                }
            };
            self.0.insert(key, entry);
        }
    }
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn checks_of<'a>(graph: &'a RouterGraph, tls: &'a ClientConfigs) -> impl Iterator<Item = Check> + 'a {
    graph.services().iter().enumerate().flat_map(|(index, service)| {
        let ServiceNodeKind::Servers(node) = &service.kind else { return Vec::new() };
        let Some(spec) = &node.spec.health_check else { return Vec::new() };
        let check = |one| Check::new(&service.label, one, spec, &node.transport, tls.of(index));
        node.servers.iter().map(check).collect()
    })
}

#[cfg(test)]
mod tests;
