//! Upstream servers as one worker sees them: connections and their pools, names, balancing, retries, health. What is
//! asked of whom is the exchange's business; this is how it is asked and what comes back.
//!
//! All of it lives on one thread, but for two things: what is known of a server's state, which is atomic cells, and
//! the active health checks, which run once for the process on a thread of their own.

mod attempt;
mod balance;
mod body;
mod dial;
mod fault;
mod fields;
mod h1;
mod h2;
mod health;
mod keeper;
mod kept;
mod load;
mod names;
mod payload;
mod pool;
mod room;
mod send;
mod service;
mod shares;
mod stream;
mod timer;
mod tls;
mod tunnel;

pub(crate) use body::UpstreamBody;
pub(crate) use h1::Head;
pub(crate) use health::{HealthChecks, servers_up};
pub(crate) use send::{Outgoing, Unanswered};
pub(crate) use service::ServerLabel;
pub(crate) use shares::Shares;
pub(crate) use tls::ClientConfigs;
pub(crate) use tunnel::UpstreamTunnel;

use ahash::HashMap;
use balance::Random;
use http::HeaderValue;
use keeper::Keeper;
use names::Names;
use pn_core::RouterGraph;
use pn_core::context::FieldValue;
use pn_core::graph::{ServerNode, ServersNode, ServiceId, ServiceNodeKind, SplitNode};
use pool::Pool;
use rustls::ClientConfig;
use service::{PoolKey, Service, make_pool};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// A worker's upstream servers.
pub(crate) struct Upstreams {
    /// How many workers share the bounds of a pool.
    workers: u32,
    shares: Arc<Shares>,
    names: Rc<Names>,
    keeper: Rc<Keeper>,
    random: Random,
    pools: RefCell<HashMap<PoolKey, Rc<Pool>>>,
    /// By `Service::key`. Those of graphs that have gone are dropped with the next change.
    services: RefCell<HashMap<usize, Rc<Service>>>,
}

impl Default for Upstreams {
    fn default() -> Self {
        Self::with_names(0, 1, Names::system())
    }
}

impl Upstreams {
    /// For worker `index` of `workers`, which have `shares` in common.
    pub(crate) fn new(index: usize, workers: usize, shares: Arc<Shares>) -> Self {
        Self { shares, ..Self::with_names(index, workers, Names::system()) }
    }

    fn with_names(index: usize, workers: usize, names: Rc<Names>) -> Self {
        Self {
            workers: u32::try_from(workers).unwrap_or(u32::MAX).max(1),
            shares: Arc::default(),
            keeper: Keeper::new(&names),
            names,
            random: Random::new(index as u64),
            pools: RefCell::default(),
            services: RefCell::default(),
        }
    }

    /// Makes ready for a graph before its first request: pools of servers that are still there live on, those of
    /// servers that no graph has any more are closed once their exchanges are over.
    pub(crate) fn reconcile(&self, graph: &RouterGraph, tls: &ClientConfigs) {
        let mut services = self.services.take();
        services.retain(|_, service| !service.is_dead());
        let rounds: HashMap<usize, Rc<Service>> =
            services.values().map(|service| (service.balance_key(), Rc::clone(service))).collect();
        for (index, node) in graph.services().iter().enumerate() {
            if let ServiceNodeKind::Servers(servers) = &node.kind {
                let old = rounds.get(&(Arc::as_ptr(&servers.balance) as usize));
                let tls = tls.of(index);
                let pool = |one: &ServerNode| self.pool(one, servers, tls);
                let service = Service::new(servers, &node.label, old.map(|old| &**old), pool);
                services.insert(Service::key(servers), service);
            }
        }
        drop(rounds);
        self.services.replace(services);
        self.drop_unused_pools();
    }

    fn pool(&self, one: &ServerNode, servers: &ServersNode, tls: Option<&Arc<ClientConfig>>) -> Rc<Pool> {
        let make = |key: &PoolKey| {
            let share = self.shares.of(key, servers.transport.pool.connections_per_server);
            make_pool(&one.spec, &servers.transport, tls, self.workers, share, &self.keeper)
        };
        let key = PoolKey::new(&one.spec, &servers.transport, tls);
        Rc::clone(self.pools.borrow_mut().entry(key).or_insert_with_key(make))
    }

    fn drop_unused_pools(&self) {
        let services = self.services.borrow();
        let used: ahash::HashSet<*const Pool> =
            services.values().flat_map(|service| &service.servers).map(|one| Rc::as_ptr(&one.pool)).collect();
        self.pools.borrow_mut().retain(|_, pool| {
            let keep = used.contains(&Rc::as_ptr(pool));
            if !keep {
                pool.retire();
            }
            keep
        });
        let pools = self.pools.borrow();
        let hosts: ahash::HashSet<&str> = pools.values().filter_map(|pool| pool.target.host()).collect();
        self.names.retain(|name| hosts.contains(name));
    }

    /// What is kept of a service. One that no `reconcile` has announced is set up on the spot, without TLS.
    fn service(&self, node: &ServersNode, label: &Arc<str>) -> Rc<Service> {
        if let Some(service) = self.services.borrow().get(&Service::key(node)) {
            return Rc::clone(service);
        }
        let service = Service::new(node, label, None, |one| self.pool(one, node, None));
        self.services.borrow_mut().insert(Service::key(node), Rc::clone(&service));
        service
    }

    /// Which service of a split takes the request, and the cookie that keeps the client there when there is one to
    /// set. `None` only for a split without weight, which no configuration has.
    pub(crate) fn choose_split<'a>(
        &self,
        split: &SplitNode,
        cookies: impl Iterator<Item = FieldValue<'a>>,
    ) -> Option<(ServiceId, Option<HeaderValue>)> {
        balance::choose_split(split, cookies)
    }
}

#[cfg(test)]
mod tests;
