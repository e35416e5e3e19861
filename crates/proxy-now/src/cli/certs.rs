//! The command line of `certs`.

use super::{Admin, Format};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

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
    Revoke(Revoke),
    Export(Export),
    Import(Import),
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

/// Have the CA take a certificate of ACME back.
///
/// Where a site still wants one, another is ordered at once, with another key; the revoked one is served until it is
/// there. One that no site wants any more is named by its id.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// A host that it is for, its id, or its serial number
    pub(crate) name: String,
    /// Why, as RFC 5280 calls it; keyCompromise when somebody else may have the key
    #[arg(long, value_enum, default_value_t = Reason::Unspecified)]
    pub(crate) reason: Reason,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum Reason {
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
}

/// Write all accounts and certificates for another proxy.
///
/// The running process is not disturbed. What is written holds private keys, and is readable by you alone.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// For whom: Traefik's acme.json, Caddy's data directory, or a chain and a key of PEM for each
    #[arg(long, value_enum)]
    pub(crate) format: Form,
    /// A file for traefik, a folder for the others. Default: acme.json, caddy, certificates
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Traefik,
    Caddy,
    Pem,
}

// No doc comment: it would stand in the help of every command that takes this.
#[derive(Debug, Args)]
pub(crate) struct StoreAt {
    /// The certificate store. Default: that of the running process, else of the state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// The state directory, where no process runs. Default: that of the user who runs this
    #[arg(long, value_name = "DIR", conflicts_with = "store")]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Take accounts and certificates over from another proxy, or a certificate from files.
///
/// A running process serves at once what its sites ask for. What is there already and as good stays.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) from: ImportFrom,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportFrom {
    Traefik(FromTraefik),
    Caddy(FromCaddy),
    Pem(FromPem),
}

/// Traefik's acme.json, of Traefik 2 or 3: all resolvers.
#[derive(Debug, Args)]
pub(crate) struct FromTraefik {
    /// The file, which nobody else may read
    pub(crate) file: PathBuf,
    #[command(flatten)]
    common: ImportCommon,
}

/// Caddy's data directory: all ACME issuers.
#[derive(Debug, Args)]
pub(crate) struct FromCaddy {
    /// Such as /var/lib/caddy/.local/share/caddy
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    common: ImportCommon,
}

/// A certificate and its key, to be renewed by ACME from here on.
#[derive(Debug, Args)]
pub(crate) struct FromPem {
    /// The chain, leaf first
    pub(crate) cert: PathBuf,
    /// Its key: PKCS#8, PKCS#1 or SEC1
    pub(crate) key: PathBuf,
    #[command(flatten)]
    common: ImportCommon,
}

// No doc comment, as above.
#[derive(Debug, Args)]
pub(crate) struct ImportCommon {
    /// The CA's directory where the files do not tell it: a URL, a name such as letsencrypt, or NAME=URL for one of
    /// several
    #[arg(long, value_name = "[NAME=]URL")]
    pub(crate) directory: Vec<String>,
    /// Also over what is there and as good
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) store: StoreAt,
}

impl ImportFrom {
    pub(crate) fn common(&self) -> &ImportCommon {
        match self {
            Self::Traefik(from) => &from.common,
            Self::Caddy(from) => &from.common,
            Self::Pem(from) => &from.common,
        }
    }
}
