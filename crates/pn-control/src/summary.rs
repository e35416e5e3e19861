//! What a change changes, in one line for the log. The long form, with what becomes of running state, is `proxy-now
//! diff`.

use pn_config::diff::{Change, What, diff};
use pn_model::Model;

/// Changes that are named; the rest are counted.
const SHOWN: usize = 8;

/// `+site app.localhost; ~service api (servers)`
pub(crate) fn summary(old: &Model, new: &Model) -> String {
    let changes = diff(old, new).changes;
    let shown: Vec<String> = changes.iter().take(SHOWN).map(one).collect();
    match changes.len().saturating_sub(SHOWN) {
        0 if shown.is_empty() => "the same configuration, other files".to_owned(),
        0 => shown.join("; "),
        more => format!("{} and {more} more", shown.join("; ")),
    }
}

/// Of the first configuration, where everything is new.
pub(crate) fn inventory(model: &Model) -> String {
    let routes: usize = model.sites.values().map(|site| site.routes.len()).sum();
    let counted =
        |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    [
        counted(model.sites.len(), "site"),
        counted(routes, "route"),
        counted(model.services.len(), "service"),
        counted(model.listeners.len(), "listener"),
    ]
    .join(", ")
}

fn one(change: &Change) -> String {
    let sign = match change.what {
        What::Added => '+',
        What::Dropped => '-',
        What::Altered => '~',
    };
    let name = if change.name.is_empty() { String::new() } else { format!(" {}", change.name) };
    let fields =
        if change.fields.is_empty() { String::new() } else { format!(" ({})", change.fields.join(", ")) };
    format!("{sign}{}{name}{fields}", change.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pn_model::{Issuer, NodePath, tls::IssuerKind};
    use std::time::Duration;

    fn model(issuers: &[(&str, u64)]) -> Model {
        let issuer = |&(name, seconds): &(&str, u64)| {
            let kind = IssuerKind::InternalCa { lifetime: Duration::from_secs(seconds) };
            (name.into(), Issuer { name: name.into(), kind, path: NodePath::default() })
        };
        Model { issuers: issuers.iter().map(issuer).collect(), ..Model::default() }
    }

    #[test]
    fn one_line() {
        let many: Vec<(String, u64)> = (0..10).map(|i| (format!("i{i}"), 1)).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|(name, seconds)| (name.as_str(), *seconds)).collect();
        for (old, new, expected) in [
            (model(&[]), model(&[]), "the same configuration, other files"),
            (
                model(&[("a", 1), ("b", 1)]),
                model(&[("b", 2), ("c", 1)]),
                "-issuer a; ~issuer b (internal-ca); +issuer c",
            ),
            (
                model(&[]),
                model(&many),
                "+issuer i0; +issuer i1; +issuer i2; +issuer i3; +issuer i4; +issuer i5; +issuer i6; +issuer i7 and 2 more",
            ),
        ] {
            assert_eq!(summary(&old, &new), expected);
        }
        assert_eq!(inventory(&model(&[])), "0 sites, 0 routes, 0 services, 0 listeners");
    }
}
