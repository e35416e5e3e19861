//! From a model to a graph. Pure: spawns nothing, opens nothing, and returns every error at once.

use super::RouterGraph;
use super::nodes::{
    ListenerNode, RouteNode, ServerNode, ServersNode, ServiceId, ServiceNode, ServiceNodeKind, SiteId,
    SiteNode, SiteTls, SplitNode, SplitTarget,
};
use crate::factory::{BuildContext, Factories};
use crate::middleware::{Middleware, Stack, Stacked};
use crate::router::{RouteError, RouteSpec, Router, SiteSpec};
use crate::state::{BalanceState, ServerState, StateDraft, StateKey, StateRegistry};
use ahash::{HashMap, HashSet};
use pn_model::listener::BindAddress;
use pn_model::service::{Builtin, Servers, Split};
use pn_model::site::CertificateSource;
use pn_model::{
    MiddlewareKind, MiddlewareName, Model, NodePath, Route, Service, ServiceKind, ServiceName, Site,
    Transport, limits,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Why a model cannot run. The path leads to the value in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct CompileError {
    pub at: NodePath,
    pub message: String,
    pub help: Option<String>,
}

/// A graph, and what is doubtful about it.
#[derive(Debug)]
pub struct Compiled {
    pub graph: RouterGraph,
    pub warnings: Vec<CompileError>,
}

/// Compiles a model. Takes the state of running nodes from the registry; new state becomes known there only when the
/// graph is committed.
pub fn compile(
    model: &Model,
    factories: &Factories,
    state: &StateRegistry,
) -> Result<Compiled, Vec<CompileError>> {
    let mut compiler = Compiler {
        model,
        factories,
        draft: state.draft(),
        built: HashMap::default(),
        errors: Vec::new(),
        service_ids: model.services.keys().cloned().zip((0..).map(ServiceId)).collect(),
    };
    let listeners = compiler.listeners();
    let services = compiler.services();
    let (sites, routes, router) = compiler.sites();
    match router {
        Some((router, warnings)) if compiler.errors.is_empty() => Ok(Compiled {
            graph: RouterGraph {
                listeners,
                sites: sites.into(),
                routes: routes.into(),
                services,
                service_ids: compiler.service_ids,
                router,
                runtime: model.runtime.clone(),
                admin: model.admin.clone(),
                logs: model.logs.clone(),
                metrics: model.metrics.clone(),
                state: Some(compiler.draft),
            },
            warnings,
        }),
        _ => Err(compiler.errors),
    }
}

struct Compiler<'a> {
    model: &'a Model,
    factories: &'a Factories,
    draft: StateDraft,
    /// Middlewares by name; a chain is all its members. `None` for one that could not be built.
    built: HashMap<MiddlewareName, Option<Vec<Arc<dyn Middleware>>>>,
    errors: Vec<CompileError>,
    service_ids: HashMap<ServiceName, ServiceId>,
}

type Routed = (Vec<SiteNode>, Vec<RouteNode>, Option<(Router, Vec<CompileError>)>);

impl Compiler<'_> {
    fn listeners(&mut self) -> Box<[Arc<ListenerNode>]> {
        let model = self.model;
        let node = |spec: &pn_model::Listener, stack| Arc::new(ListenerNode { spec: spec.clone(), stack });
        model.listeners.values().map(|spec| node(spec, self.stack(&spec.middlewares, &spec.path))).collect()
    }

    fn sites(&mut self) -> Routed {
        let (mut sites, mut routes, mut specs) = (Vec::new(), Vec::new(), Vec::new());
        for (id, site) in (0..).map(SiteId).zip(self.model.sites.values()) {
            sites.push(self.site(site));
            for route in &site.routes {
                let at = u32::try_from(routes.len()).unwrap_or(u32::MAX);
                specs.push(self.route_spec(at, id, route));
                routes.extend(self.route(id, route));
            }
        }
        let hosts: Vec<_> = (0..)
            .zip(&self.model.sites)
            .map(|(id, (_, site))| SiteSpec { id, hosts: site.hosts.clone() })
            .collect();
        let runtime = &self.model.runtime;
        let router = match Router::new(&hosts, &specs, runtime.rule_priority, runtime.router) {
            Ok((router, warnings)) => Some((router, warnings.into_iter().map(Into::into).collect())),
            Err(errors) => {
                self.errors.extend(errors.into_iter().map(CompileError::from));
                None
            }
        };
        (sites, routes, router)
    }

    fn site(&mut self, site: &Site) -> SiteNode {
        let policy = site.tls_policy.as_ref().and_then(|name| {
            let policy = self.model.tls_policies.get(name);
            if policy.is_none() {
                self.error(&site.path.child("tls-policy"), format!("there is no TLS policy `{name}`"));
            }
            policy.cloned().map(Arc::new)
        });
        let tls = (site.certificate != CertificateSource::None).then(|| SiteTls {
            policy,
            certificate: site.certificate.clone(),
            san_group: site.san_group.clone(),
        });
        SiteNode {
            name: site.name.clone(),
            label: site.name.shared(),
            hosts: site.hosts.clone(),
            listeners: site.listeners.clone(),
            https: site.https,
            https_port: https_port(self.model, site),
            tls,
            path: site.path.clone(),
        }
    }

    fn route(&mut self, site: SiteId, route: &Route) -> Option<RouteNode> {
        let stack = self.stack(&route.middlewares, &route.path);
        let service = self.service_id(&route.to, &route.path.child("to"))?;
        Some(RouteNode { label: route.name.shared(), site, stack, service })
    }

    fn route_spec(&self, id: u32, site: SiteId, route: &Route) -> RouteSpec {
        let guards = route.middlewares.iter().flat_map(|name| self.guards(name, 0)).collect();
        RouteSpec {
            id,
            site: site.0,
            matcher: route.matcher.clone(),
            priority: route.priority,
            guards,
            fall_through: route.fall_through,
            name: route.name.clone(),
            path: route.path.clone(),
        }
    }

    /// The middlewares behind a name that keep somebody out, chains looked through.
    fn guards(&self, name: &MiddlewareName, depth: usize) -> Vec<MiddlewareName> {
        match self.model.middlewares.get(name).map(|middleware| &middleware.kind) {
            Some(MiddlewareKind::Chain(members)) if depth < limits::SERVICE_DEPTH => {
                members.iter().flat_map(|member| self.guards(member, depth + 1)).collect()
            }
            Some(kind) if kind.guards() => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    fn stack(&mut self, names: &[MiddlewareName], at: &NodePath) -> Stack {
        let mut stack = Vec::new();
        for name in names {
            stack.extend(self.middleware(name, at, 0).unwrap_or_default().into_iter().map(Stacked::from));
        }
        if stack.len() > limits::STACK {
            self.error(
                at,
                format!("{} middlewares in one stack; at most {} run", stack.len(), limits::STACK),
            );
        }
        stack.into()
    }

    fn middleware(
        &mut self,
        name: &MiddlewareName,
        at: &NodePath,
        depth: usize,
    ) -> Option<Vec<Arc<dyn Middleware>>> {
        if let Some(built) = self.built.get(name) {
            return built.clone();
        }
        let built = match self.model.middlewares.get(name) {
            None => {
                self.error(&at.child("use"), format!("there is no middleware `{name}`"));
                None
            }
            Some(_) if depth > limits::SERVICE_DEPTH => {
                self.error(at, format!("chains nest deeper than {}", limits::SERVICE_DEPTH));
                None
            }
            Some(spec) => match &spec.kind {
                MiddlewareKind::Chain(members) => members
                    .iter()
                    .map(|member| self.middleware(member, &spec.path, depth + 1))
                    .collect::<Option<Vec<_>>>()
                    .map(|members| members.concat()),
                _ => self.build(spec).map(|one| vec![one]),
            },
        };
        self.built.insert(name.clone(), built.clone());
        built
    }

    fn build(&mut self, spec: &pn_model::Middleware) -> Option<Arc<dyn Middleware>> {
        if let MiddlewareKind::Errors(errors) = &spec.kind {
            self.service_id(&errors.service, &spec.path.child("errors").child("service"))?;
        }
        let Some(factory) = self.factories.middleware(&spec.kind) else {
            self.error(&spec.path, format!("the middleware `{}` is not in this build", spec.kind.key()));
            return None;
        };
        let node = format!("middlewares.{}", spec.name).into();
        let built = factory.build(spec, &mut BuildContext { draft: &mut self.draft, node });
        built
            .map_err(|error| {
                self.errors.push(CompileError {
                    at: error.path(&spec.path),
                    message: error.message,
                    help: error.help,
                });
            })
            .ok()
    }

    fn services(&mut self) -> Box<[ServiceNode]> {
        let model = self.model;
        model.services.values().filter_map(|service| self.service(service)).collect()
    }

    fn service(&mut self, service: &Service) -> Option<ServiceNode> {
        let stack = self.stack(&service.middlewares, &service.path);
        let kind = match &service.kind {
            ServiceKind::Servers(servers) => {
                ServiceNodeKind::Servers(Box::new(self.servers(service, servers)?))
            }
            ServiceKind::Split(split) => ServiceNodeKind::Split(self.split(service, split)?),
            ServiceKind::Respond(respond) => ServiceNodeKind::Respond(respond.clone()),
            ServiceKind::Redirect(redirect) => ServiceNodeKind::Redirect(redirect.clone()),
            ServiceKind::Builtin(name) => self.builtin(service, *name)?,
        };
        Some(ServiceNode { label: service.name.shared(), kind, stack })
    }

    fn builtin(&mut self, service: &Service, name: Builtin) -> Option<ServiceNodeKind> {
        let found = self.factories.builtin(name).cloned().map(ServiceNodeKind::Builtin);
        if found.is_none() {
            self.error(&service.path, format!("`{}` is not in this build", name.name()));
        }
        found
    }

    fn servers(&mut self, service: &Service, spec: &Servers) -> Option<ServersNode> {
        let transport = match &spec.transport {
            None => Arc::new(Transport::built_in()),
            Some(name) => match self.model.transports.get(name) {
                Some(transport) => Arc::new(transport.clone()),
                None => {
                    self.error(&service.path.child("transport"), format!("there is no transport `{name}`"));
                    return None;
                }
            },
        };
        let checked_by = format!("{:?} {:?}", spec.health_check, spec.outlier);
        let node = |server: &pn_model::service::Server| ServerNode {
            label: server.url.as_str().into(),
            cookie: cookie(&server.url),
            state: self.draft.take(
                StateKey::of::<ServerState>(format!("services.{} {}", service.name, server.url), &checked_by),
                ServerState::default,
            ),
            spec: server.clone(),
        };
        let servers = spec.servers.iter().map(node).collect();
        let balance = self.balance(service);
        Some(ServersNode { spec: spec.clone(), servers, transport, balance })
    }

    fn split(&mut self, service: &Service, split: &Split) -> Option<SplitNode> {
        let mut reached = HashSet::default();
        if self.reaches(&service.name, &service.name, &mut reached) {
            self.error(&service.path.child("split"), format!("`{}` leads back to itself", service.name));
            return None;
        }
        let total: u64 = split.targets.iter().map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 {
            self.error(&service.path.child("split"), "every weight is 0".to_owned());
        }
        let mut targets = Vec::new();
        for (name, weight) in &split.targets {
            let service = self.service_id(name, &service.path.child("split").child(name.as_str()))?;
            targets.push(SplitTarget { service, weight: *weight, cookie: cookie(name.as_str()) });
        }
        let balance = self.balance(service);
        Some(SplitNode { targets: targets.into(), total, sticky: split.sticky.clone(), balance })
    }

    fn reaches(&self, from: &ServiceName, goal: &ServiceName, seen: &mut HashSet<ServiceName>) -> bool {
        let Some(ServiceKind::Split(split)) = self.model.services.get(from).map(|service| &service.kind)
        else {
            return false;
        };
        split
            .targets
            .iter()
            .any(|(to, _)| to == goal || (seen.insert(to.clone()) && self.reaches(to, goal, seen)))
    }

    fn balance(&mut self, service: &Service) -> Arc<BalanceState> {
        let key = StateKey::of::<BalanceState>(format!("services.{}", service.name), &());
        self.draft.take(key, BalanceState::default)
    }

    fn service_id(&mut self, name: &ServiceName, at: &NodePath) -> Option<ServiceId> {
        let found = self.service_ids.get(name).copied();
        if found.is_none() {
            self.error(at, format!("there is no service `{name}`"));
        }
        found
    }

    fn error(&mut self, at: &NodePath, message: String) {
        self.errors.push(CompileError { at: at.clone(), message, help: None });
    }
}

/// The port of a site's first TLS listener.
fn https_port(model: &Model, site: &Site) -> Option<u16> {
    let mut listeners = site.listeners.iter().filter_map(|name| model.listeners.get(name));
    let secure = listeners.find(|listener| listener.tls)?;
    let port = secure.addresses.iter().find_map(|address| match address {
        BindAddress::Tcp(address) => Some(address.port()),
        BindAddress::Unix(_) | BindAddress::Fd(_) => None,
    });
    // A socket that was handed over does not tell its port here; clients expect the standard one.
    Some(port.unwrap_or(443))
}

/// Sixteen hexadecimal digits that stand for a name: the same over restarts and machines, so that a cookie outlives
/// both.
fn cookie(name: &str) -> Box<str> {
    Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

impl From<RouteError> for CompileError {
    fn from(error: RouteError) -> Self {
        Self { at: error.at, message: error.message, help: error.help }
    }
}
