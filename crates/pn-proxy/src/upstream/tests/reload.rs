//! What a change of the graph leaves alone and what it takes away.

use super::bench::{get, on_worker, read, server};
use crate::upstream::{ClientConfigs, Upstreams};
use crate::worker::WorkerEnv;
use pn_core::graph::{RouterGraph, ServersNode, ServiceNodeKind};
use pn_core::{Factories, StateRegistry, compile};
use pn_model::service::{Balance, HostHeader, Server, Servers};
use pn_model::{Model, NodePath, Service, ServiceKind, ServiceName};
use pn_testkit::Origin;

pub(in crate::upstream) fn model(servers: Vec<Server>, change: impl FnOnce(&mut Servers)) -> Model {
    let mut spec = Servers {
        servers,
        balance: Balance::RoundRobin,
        sticky: None,
        health_check: None,
        outlier: None,
        retries: None,
        host_header: HostHeader::Preserve,
        transport: None,
    };
    change(&mut spec);
    let name = ServiceName::new("app");
    let service = Service {
        name: name.clone(),
        kind: ServiceKind::Servers(spec),
        middlewares: Vec::new(),
        path: NodePath::of(["services", "app"]),
    };
    Model { services: [(name, service)].into(), ..Model::default() }
}

pub(in crate::upstream) fn graph(model: &Model, state: &StateRegistry) -> RouterGraph {
    compile(model, &Factories::default(), state).unwrap().graph
}

fn servers_of(graph: &RouterGraph) -> &ServersNode {
    match &graph.services()[0].kind {
        ServiceNodeKind::Servers(node) => node,
        other => panic!("{other:?}"),
    }
}

#[test]
fn connections_outlive_changes_that_leave_their_server_as_it_was() {
    let origins = [Origin::http1(), Origin::http1()];
    let urls = [0, 1].map(|index: usize| server(format!("http://{}", origins[index].addr())));
    let state = StateRegistry::default();
    on_worker(async {
        let (upstreams, env) = (Upstreams::default(), WorkerEnv::for_tests());
        let ask = async |graph: &RouterGraph| {
            let service = &graph.services()[0];
            let answer =
                upstreams.send(servers_of(graph), &service.label, get("/").out(), &env).await.unwrap();
            read(answer).await.unwrap()
        };
        let first = graph(&model(vec![urls[0].clone()], |_| ()), &state);
        upstreams.reconcile(&first, &ClientConfigs::default());
        ask(&first).await;
        let second = graph(&model(urls.to_vec(), |spec| spec.balance = Balance::P2c), &state);
        upstreams.reconcile(&second, &ClientConfigs::default());
        for _ in 0..20 {
            ask(&second).await;
        }
        // A request that still runs under the first graph finds its server.
        ask(&first).await;
        assert_eq!((origins[0].connections(), origins[1].connections()), (1, 1));
        drop(first);
        let third = graph(&model(vec![urls[1].clone()], |_| ()), &state);
        let label = &second.services()[0].label;
        let under_way = upstreams.send(servers_of(&second), label, get("/").out(), &env).await.unwrap();
        drop(second);
        upstreams.reconcile(&third, &ClientConfigs::default());
        assert_eq!(read(under_way).await.unwrap().status, 200);
        ask(&third).await;
        assert_eq!(upstreams.pools.borrow().len(), 1);
        assert_eq!(upstreams.services.borrow().len(), 1);
        let closed = tokio::task::spawn_blocking(move || {
            pn_testkit::wait_until("the end of unused connections", || origins[0].open_connections() == 0);
            origins[1].connections()
        });
        assert_eq!(closed.await.unwrap(), 1);
    });
}
