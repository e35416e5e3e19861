//! How middlewares and built-in services come into a graph: the composition root hands factories in, so that the
//! control plane depends on neither.

use crate::builtin::BuiltinService;
use crate::middleware::Middleware;
use crate::state::{StateDraft, StateKey};
use ahash::HashMap;
use pn_model::service::Builtin;
use pn_model::{MiddlewareKind, NodePath};
use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// Builds one kind of middleware. Pure: no I/O, no threads.
pub trait MiddlewareFactory: Send + Sync {
    fn build(
        &self,
        spec: &pn_model::Middleware,
        cx: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn Middleware>, BuildError>;
}

/// What a factory may ask for.
#[derive(Debug)]
pub struct BuildContext<'a> {
    pub(crate) draft: &'a mut StateDraft,
    pub(crate) node: Arc<str>,
}

impl BuildContext<'_> {
    /// State of this node that outlives reloads for as long as `defined_by` stays the same.
    pub fn state<T: Any + Send + Sync>(&mut self, defined_by: &impl Hash, new: impl FnOnce() -> T) -> Arc<T> {
        self.draft.take(StateKey::of::<T>(Arc::clone(&self.node), defined_by), new)
    }
}

/// Why a middleware cannot be built. `key` is the path below the node, such as `["rate-limit", "rate"]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    pub key: Vec<String>,
    pub message: String,
    pub help: Option<String>,
}

impl BuildError {
    pub fn new<const N: usize>(key: [&str; N], message: impl Into<String>) -> Self {
        Self { key: key.iter().map(ToString::to_string).collect(), message: message.into(), help: None }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn path(&self, node: &NodePath) -> NodePath {
        self.key.iter().fold(node.clone(), |path, key| path.child(key.as_str()))
    }
}

/// Everything that a graph can be made of beyond the model.
#[derive(Default, Clone)]
pub struct Factories {
    middlewares: HashMap<&'static str, Arc<dyn MiddlewareFactory>>,
    builtins: HashMap<Builtin, Arc<dyn BuiltinService>>,
}

impl Factories {
    /// `kind` is the key under which the middleware is written (`MiddlewareKind::key`).
    #[must_use]
    pub fn with_middleware(mut self, kind: &'static str, factory: Arc<dyn MiddlewareFactory>) -> Self {
        self.middlewares.insert(kind, factory);
        self
    }

    #[must_use]
    pub fn with_builtin(mut self, name: Builtin, service: Arc<dyn BuiltinService>) -> Self {
        self.builtins.insert(name, service);
        self
    }

    pub(crate) fn middleware(&self, kind: &MiddlewareKind) -> Option<&Arc<dyn MiddlewareFactory>> {
        self.middlewares.get(kind.key())
    }

    pub(crate) fn builtin(&self, name: Builtin) -> Option<&Arc<dyn BuiltinService>> {
        self.builtins.get(&name)
    }
}

impl fmt::Debug for Factories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factories").field("middlewares", &self.middlewares.len()).finish_non_exhaustive()
    }
}
