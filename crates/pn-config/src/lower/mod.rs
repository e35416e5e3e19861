//! From the resolved tree to the semantic model: references, hosts, paths, addresses, rules, and the checks that
//! span more than one node. What a single key may hold is checked before, by the schema.

use crate::diagnostic::Diagnostics;
use crate::resolved::Resolved;
use pn_model::Model;

/// The model, as far as it can be built; findings go to `out`. `None` when nothing sensible could be built.
pub(crate) fn model(_resolved: &Resolved, _out: &mut Diagnostics) -> Option<Model> {
    Some(Model::default())
}
