//! The command line of `certs`.

use super::{Admin, Format};
use clap::{Args, Subcommand};

/// Certificates: those in use, those that are wanted, and how their renewal goes.
#[derive(Debug, Args)]
pub(crate) struct Certs {
    #[command(subcommand)]
    pub(crate) command: CertsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    List(List),
    Show(Show),
    Renew(Renew),
}

/// Every certificate that is served or wanted, those that end first before the others.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// For people, or the JSON of the admin API
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// One certificate: what it says of itself, who looks after it, what comes next, and what failed last.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A host that it is for, its id, or its serial number
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// For people, or the JSON of the admin API
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Have a certificate of ACME replaced now, however young it is.
///
/// The old one is served until the new one is there. The throttle of the issuer holds, and so does a CA that asked for
/// patience; the pause after failed tries does not. Says what is done, and does not wait for it.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// A host that it is for, its id, or its serial number
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) admin: Admin,
}
