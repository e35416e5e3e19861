//! The command line. Every option says what it does; nothing here does it.

pub(crate) mod acme;
pub(crate) mod certs;

pub(crate) use acme::{AccountsList, Acme, AcmeCheck, AcmeCommand};
pub(crate) use certs::{Certs, CertsCommand};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Where a process is asked when nobody says.
pub(crate) const ADMIN: &str = "127.0.0.1:8079";

const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

Serve:
  run            Serve a configuration, and every change of it
  demo           See it work: two sites, HTTPS, nothing to set up
  reverse-proxy  Serve one site from the command line alone

Configuration:
  check          Find every error before it runs
  fmt            Write a file in its usual form
  diff           What a change would add, drop and alter
  explain        Every effective value of a node, and where it comes from
  schema         The schema, for editors and for CUE

The running process:
  status         What runs, and how the last reload went
  reload         Read the configuration again, now
  rollback       Go back to an accepted configuration
  certs          Certificates: list, show, renew, revoke, export, import
  acme           Accounts at ACME CAs: list, new key, end

Tools:
  trust          Make this machine trust the internal CA
  hash-password  Hash a password for basic-auth
  completions    Completions for a shell

Options:
{options}{after-help}";

const EXAMPLES: &str = "
Two lines are a configuration (proxy-now.toml):

  [sites.\"app.localhost\"]
  to = \"http://127.0.0.1:3000\"

  proxy-now check proxy-now.toml && proxy-now run proxy-now.toml

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the running process does not answer.";

/// A reverse proxy that replaces Traefik and Caddy in front of internal infrastructure: one checked graph, HTTPS by
/// itself, every change live.
#[derive(Debug, Parser)]
#[command(name = "proxy-now", version, help_template = TEMPLATE, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Demo(Demo),
    ReverseProxy(ReverseProxy),
    Check(Check),
    Fmt(Fmt),
    Diff(Diff),
    Explain(Explain),
    Schema(Schema),
    Status(Status),
    Reload(Reload),
    Rollback(Rollback),
    Certs(Certs),
    Acme(Acme),
    Trust(Trust),
    HashPassword(HashPassword),
    Completions(Completions),
}

/// Serve a configuration, and every change of it.
///
/// Files are watched; SIGHUP and `proxy-now reload` read them at once. A change that is refused leaves everything as it
/// was. SIGTERM and SIGINT let requests finish and end with 0; a second one ends at once. SIGUSR1 opens log files
/// again.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A file, a directory of *.toml and *.json, or - for standard input. Default: ./proxy-now.toml, then
    /// /etc/proxy-now/proxy-now.toml, then /etc/proxy-now
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// What every command that serves takes.
#[derive(Debug, Args, Default)]
pub(crate) struct Serve {
    /// When the configuration is refused, start from the one that was accepted last
    #[arg(long)]
    pub(crate) last_good: bool,
    /// Where certificates, keys and the last accepted configuration are kept, whatever the configuration says
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Become this user (name or number) before anything is opened, keeping only the right to bind low ports
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}

/// See it work: two sites over HTTPS by the internal CA, with upstreams of its own.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Port for HTTPS. Default: 443 as root, else 8443
    #[arg(long, value_name = "PORT")]
    pub(crate) https_port: Option<u16>,
    /// Port for HTTP. Default: 80 as root, else 8080
    #[arg(long, value_name = "PORT")]
    pub(crate) http_port: Option<u16>,
    /// Admin address. Default: 127.0.0.1:8079
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// Where the internal CA is kept, so that it stays trusted. Default: the user's state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Print the demo's configuration, and serve nothing
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Serve one site from the command line alone.
///
/// For example: proxy-now reverse-proxy --from app.localhost --to http://127.0.0.1:3000
#[derive(Debug, Args)]
pub(crate) struct ReverseProxy {
    /// The site's host; with a port HTTPS is served there, else at 443 (and HTTP at 80) as root, 8443 and 8080 otherwise
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) from: String,
    /// An upstream server; repeat it for several
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) to: Vec<String>,
    /// Admin address. Default: off
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// Where the internal CA is kept. Default: the user's state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Print the configuration that stands for this, and serve nothing
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Find every error before it runs: all in one run, each with its place and a remedy.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A file, a directory, or - for standard input
    pub(crate) config: Option<PathBuf>,
    /// Warnings fail too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Skip what only the real host has: environment, secrets, files, names
    #[arg(long)]
    pub(crate) offline: bool,
    /// Also order at each ACME issuer's staging directory, as far as it goes without a running proxy; nothing is kept
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "staging", conflicts_with = "offline")]
    pub(crate) acme: Option<AcmeCheck>,
    /// For people, or for programs: each finding with its code, file, line and column
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Write a file in its usual form: TOML 1.0, scalars before tables.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files to write; - reads standard input and writes standard output
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write nothing; fail when a file is not in its usual form
    #[arg(long)]
    pub(crate) check: bool,
}

/// What a change would add, drop and alter, and which state survives it.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// What runs now: a file, a directory, or - for standard input
    pub(crate) old: PathBuf,
    /// What would run
    pub(crate) new: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Every effective value of a node, and the file and line it comes from.
///
/// Inherited values and defaults are among them; secrets are shown as ***.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A file, a directory, or - for standard input
    pub(crate) config: PathBuf,
    /// As in a table header: services.api, 'sites."app.localhost"', 'sites."app.localhost".routes."/x/*"', runtime
    pub(crate) node: String,
}

/// The schema of the configuration, printed: JSON Schema for editors, CUE for whoever generates configurations.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which of the two
    #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
    pub(crate) format: SchemaFormat,
}

// No doc comment: it would stand in the help of every command that takes this.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// Its admin address: IP:PORT or unix:/path
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN, env = "PROXY_NOW_ADDRESS")]
    pub(crate) address: String,
}

/// What runs, and how the last reload went.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) admin: Admin,
    /// For people, or the JSON of the admin API
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Make the running process read its configuration again, now.
///
/// Waits for what comes of it. A change that is refused leaves everything as it was, and its errors are shown here.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Go back to an accepted configuration. It stays until the files change again, or are read by `reload`.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// A generation of `status`; default: the one before the running one
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Make this machine trust the internal CA, by the system's own tool.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Take the trust away again
    #[arg(long)]
    pub(crate) uninstall: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The state directory of the internal CA. Default: that of the user who runs this
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Hash a password for basic-auth (bcrypt). Asked for on a terminal, else the first line of standard input.
#[derive(Debug, Args)]
pub(crate) struct HashPassword {
    /// Print a whole entry, name:hash
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Each step doubles the work, for attackers and for the proxy
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..=17))]
    pub(crate) cost: u32,
}

/// Completions for a shell, printed.
///
/// bash: proxy-now completions bash > ~/.local/share/bash-completion/completions/proxy-now
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Whose
    pub(crate) shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    Json,
    Cue,
}
