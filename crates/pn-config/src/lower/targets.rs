//! Where requests end as sites and routes say it: a service by name, a built-in one, or one that an address, a fixed
//! response or a redirect stands for.

use super::{Context, services};
use crate::parse::{self, Upstream};
use crate::resolved::{Node, Section};
use crate::schema::{LATER_BUILTINS, suggest::nearest};
use crate::value::{Entry, Kind, Value};
use pn_model::service::Builtin;
use pn_model::{NodePath, Service, ServiceKind, ServiceName};

/// Keys that say where a request ends.
pub(super) const TARGETS: [&str; 3] = ["to", "respond", "redirect"];

/// The service that `to`, `respond` or `redirect` of a site or route stands for; `None` when none of them is there,
/// or what is there was refused.
pub(super) fn target(cx: &mut Context<'_>, node: &Node) -> Option<ServiceName> {
    if let Some(value) = node.table.get("to") {
        return reference(cx, value, &node.path.child("to"));
    }
    let key = TARGETS.into_iter().find(|key| node.table.has(key))?;
    let entry = node.table.entry(key)?;
    let path = node.path.child(key);
    let name = ServiceName::new(path.to_string());
    let inline = template(cx, key, entry.clone(), &node.path);
    services::service(cx, name.clone(), &inline);
    Some(name)
}

/// Where a service is expected: a name, `@built-in`, or an address.
pub(super) fn reference(cx: &mut Context<'_>, value: &Value, path: &NodePath) -> Option<ServiceName> {
    let text = value.as_str()?;
    if text.starts_with('@') {
        return builtin(cx, text, value);
    }
    if text.contains([':', '/']) {
        return address(cx, text, value, path);
    }
    cx.refer(Section::Services, value).then(|| ServiceName::new(text))
}

fn builtin(cx: &mut Context<'_>, text: &str, value: &Value) -> Option<ServiceName> {
    if LATER_BUILTINS.contains(&text) {
        let message = format!("the built-in service `{text}` is not in this version");
        cx.error("not-in-this-version", value.span, message, "leave it out");
        return None;
    }
    let Some(builtin) = Builtin::ALL.into_iter().find(|builtin| builtin.name() == text) else {
        let names = Builtin::ALL.map(Builtin::name);
        let help = match nearest(text, names).filter(|_| !value.secret) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        let shown = if value.secret { "***" } else { text };
        cx.error("unknown-reference", value.span, format!("there is no built-in service `{shown}`"), &help);
        return None;
    };
    let name = ServiceName::new(text);
    cx.model.services.entry(name.clone()).or_insert_with(|| Service {
        name: name.clone(),
        kind: ServiceKind::Builtin(builtin),
        middlewares: Vec::new(),
        path: NodePath::of(["services", text]),
    });
    Some(name)
}

/// One service for each address, however often and however it is written.
fn address(cx: &mut Context<'_>, text: &str, value: &Value, path: &NodePath) -> Option<ServiceName> {
    let Upstream { url, .. } = match parse::upstream(text) {
        Ok(upstream) => upstream,
        Err(error) => {
            cx.invalid("invalid-address", value, error);
            return None;
        }
    };
    let name = ServiceName::new(url.as_str());
    if !cx.model.services.contains_key(&name) {
        let servers = Value::new(Kind::Array(vec![Value::string(text, value.span)]), value.span);
        let entry = Entry { key_span: value.span, value: servers };
        let inline = template(cx, "servers", entry, path);
        services::service(cx, name.clone(), &inline);
    }
    Some(name)
}

/// A service that nobody named: what `[defaults.services]` says, and one kind key.
fn template(cx: &Context<'_>, key: &'static str, entry: Entry, path: &NodePath) -> Node {
    let mut node = cx.resolved.template(Section::Services, key);
    node.span = entry.value.span;
    node.table.insert(key.into(), entry);
    node.path = path.clone();
    node
}
