//! Circles: of chains, of splits, of issuers that fall back, and of error pages that come from a service which uses them.

use crate::diagnostic::Diagnostic;
use crate::lower::Context;
use crate::resolved::Section;
use crate::value::Span;
use pn_model::tls::IssuerKind;
use pn_model::{MiddlewareKind, Model, ServiceKind};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Name = (Section, Arc<str>);

pub(super) fn run(cx: &mut Context<'_>) {
    for circle in circles(&edges(&cx.model)) {
        let Some((section, name)) = circle.first() else { continue };
        let names: Vec<_> = circle.iter().chain([&circle[0]]).map(|(_, name)| format!("`{name}`")).collect();
        let span = place(cx, *section, name);
        let message = format!("these lead back to where they started: {}", names.join(" → "));
        cx.push(Diagnostic::error("cycle", message).at(span, "").help("take one of them out"));
    }
}

/// The value by which a node leads on.
fn place(cx: &Context<'_>, section: Section, name: &str) -> Span {
    let Some(node) = cx.resolved.get(section, name) else { return Span::NONE };
    let key =
        ["chain", "split", "errors", "use", "acme"].into_iter().find(|key| !node.table.span(key).is_none());
    key.map_or(node.span, |key| node.at(key))
}

fn edges(model: &Model) -> BTreeMap<Name, Vec<Name>> {
    let middleware = |name: &pn_model::MiddlewareName| (Section::Middlewares, name.shared());
    let service = |name: &pn_model::ServiceName| (Section::Services, name.shared());
    let mut edges = BTreeMap::new();
    for (name, node) in &model.middlewares {
        let to = match &node.kind {
            MiddlewareKind::Chain(members) => members.iter().map(middleware).collect(),
            MiddlewareKind::Errors(errors) => vec![service(&errors.service)],
            _ => continue,
        };
        edges.insert(middleware(name), to);
    }
    for (name, node) in &model.services {
        let mut to: Vec<_> = node.middlewares.iter().map(middleware).collect();
        if let ServiceKind::Split(split) = &node.kind {
            to.extend(split.targets.iter().map(|(target, _)| service(target)));
        }
        edges.insert(service(name), to);
    }
    for (name, issuer) in &model.issuers {
        if let IssuerKind::Acme(acme) = &issuer.kind {
            let to = acme.fallback.iter().map(|to| (Section::Issuers, to.shared())).collect();
            edges.insert((Section::Issuers, name.shared()), to);
        }
    }
    edges
}

/// Every circle that a depth-first walk closes, each starting with its first name. Iterative: a file may hold a chain
/// of ten thousand.
fn circles(edges: &BTreeMap<Name, Vec<Name>>) -> Vec<Vec<Name>> {
    let mut found = Vec::new();
    // Absent: not seen; `Some`: on the path at this depth; `None`: done.
    let mut state: HashMap<&Name, Option<usize>> = HashMap::new();
    for start in edges.keys() {
        if state.contains_key(start) {
            continue;
        }
        let mut path: Vec<(&Name, std::slice::Iter<'_, Name>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(name) = next.take() {
                state.insert(name, Some(path.len()));
                path.push((name, edges.get(name).map_or(&[][..], Vec::as_slice).iter()));
            }
            let Some((name, rest)) = path.last_mut() else { break };
            match rest.next() {
                Some(to) => match state.get(to) {
                    Some(Some(depth)) => {
                        let mut circle: Vec<_> =
                            path.iter().skip(*depth).map(|(name, _)| (*name).clone()).collect();
                        let first = (0..circle.len()).min_by_key(|&i| circle.get(i)).unwrap_or(0);
                        circle.rotate_left(first);
                        found.push(circle);
                    }
                    Some(None) => {}
                    None => next = Some(to),
                },
                None => {
                    state.insert(name, None);
                    path.pop();
                }
            }
        }
    }
    found
}
