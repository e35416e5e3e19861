//! What can go wrong between the proxy and the certificates it needs.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    #[error("`{}` cannot be used: {source}; check that the proxy's user owns it and that the disk is not full", path.display())]
    Storage { path: PathBuf, source: std::io::Error },
    #[error(
        "the state directory `{}` is in use by another proxy-now{owner}; stop it, or set `runtime.state-dir` to another directory",
        path.display()
    )]
    InUse { path: PathBuf, owner: String },
    #[error("no certificate can be made for `{name}`: {reason}")]
    Name { name: String, reason: String },
    #[error("the internal CA cannot sign: {0}")]
    Signing(String),
    #[error("the root certificate could not be installed or removed: {0}")]
    Trust(String),
    #[error("`{}` may not be written; run the command as root (sudo)", .0.display())]
    NeedsRoot(PathBuf),
}

impl AcmeError {
    pub(crate) fn signing(error: &impl ToString) -> Self {
        Self::Signing(error.to_string())
    }
}
