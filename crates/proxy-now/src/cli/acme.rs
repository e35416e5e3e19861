//! The command line of `acme`, and of what `check` tries at CAs.

use super::{Admin, Format};
use clap::{Args, Subcommand, ValueEnum};

/// Accounts at ACME CAs: those there are, another key, the end of one.
#[derive(Debug, Args)]
pub(crate) struct Acme {
    #[command(subcommand)]
    pub(crate) command: AcmeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AcmeCommand {
    Accounts(AccountsList),
    Rollover(Rollover),
    Deactivate(Deactivate),
}

/// Every account: whose it is, at which CA, since when.
#[derive(Debug, Args)]
pub(crate) struct AccountsList {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// For people, or the JSON of the admin API
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Give an account another key (P-256), at the CA and here. Certificates are not touched.
#[derive(Debug, Args)]
pub(crate) struct Rollover {
    /// The issuer whose account it is, or the account's URL; default: the only one
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Close an account for ever, and remove it here. Certificates stay valid; the next order registers another account.
#[derive(Debug, Args)]
pub(crate) struct Deactivate {
    /// The issuer whose account it is, or the account's URL
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Where `check --acme` orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcmeCheck {
    /// At staging directories only
    Staging,
    /// Where an issuer has none, at its directory itself; nothing is issued there
    Live,
}
