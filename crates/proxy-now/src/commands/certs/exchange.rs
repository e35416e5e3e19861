//! `certs export` and `certs import`: between the certificate store and what other proxies keep. The store is safe to
//! share, so a running process is not stopped; it is told to look again.

use super::super::admin::ask;
use crate::cli::certs::{Export, Form, Import, ImportFrom, StoreAt};
use crate::{client, inputs, output};
use anyhow::{Context, Result, anyhow, bail};
use http::{Method, StatusCode};
use pn_acme::exchange::{self, Bundle, ExchangeError, Report};
use pn_acme::storage::{FileStore, certificate_id, system_clock};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn export(options: &Export) -> Result<ExitCode> {
    let out = options.out.clone().unwrap_or_else(|| usual(options.format).into());
    if out.exists() && (options.format == Form::Traefik || !out.is_dir()) {
        bail!("`{}` is there already: remove it, or name another place with --out", out.display());
    }
    let (path, _) = store_of(&options.store)?;
    if !path.is_dir() {
        bail!("there is no certificate store at `{}`: name it with --store", path.display());
    }
    let mut bundle = block_on(async { Bundle::read(&FileStore::open(&path)?).await })??;
    let notes = std::mem::take(&mut bundle.notes);
    let notes: Vec<_> = notes.into_iter().chain(write(options.format, &out, &bundle)?).collect();
    tell(notes.iter().map(ToString::to_string));
    bundle.unread.iter().for_each(|unread| output::note(&format!("error: {unread}\n")));
    let but = if notes.is_empty() { "" } else { " but for what is noted" };
    let (accounts, certificates) = counts(&bundle);
    output::print(&format!(
        "{certificates} certificates and {accounts} accounts of `{}` are in `{}`{but}, readable by you alone\n",
        path.display(),
        out.display()
    ));
    if options.format == Form::Traefik {
        output::print(&resolvers(&bundle));
    }
    match bundle.unread.len() {
        0 => Ok(ExitCode::SUCCESS),
        unread => bail!("{unread} records of the store could not be read and are not exported: see above"),
    }
}

pub(super) fn import(options: &Import) -> Result<ExitCode> {
    let common = options.from.common();
    let said: Vec<Said> = common.directory.iter().map(|one| Said::read(one)).collect::<Result<_>>()?;
    let mut bundle = read(&options.from)?;
    let (path, running) = store_of(&common.store)?;
    let served = running.then(|| served(&common.store.admin.address)).transpose()?.unwrap_or_default();
    settle_directories(&mut bundle, said, &served)?;
    bundle.drop_twins();
    let report = block_on(async { bundle.store(&FileStore::open(&path)?, common.replace).await })?
        .with_context(|| format!("nothing or not all was stored in `{}`", path.display()))?;
    tell(bundle.notes.iter().map(ToString::to_string));
    output::print(&imported(&report, &path));
    if running {
        take_over(&bundle, &served, &common.store.admin.address)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where it is written to when nobody says.
fn usual(format: Form) -> &'static str {
    match format {
        Form::Traefik => "acme.json",
        Form::Caddy => "caddy",
        Form::Pem => "certificates",
    }
}

fn write(format: Form, out: &Path, bundle: &Bundle) -> Result<Vec<exchange::Note>> {
    Ok(match format {
        Form::Traefik => {
            let (bytes, notes) = exchange::export_traefik(bundle);
            exchange::write_traefik(out, &bytes)?;
            notes
        }
        Form::Caddy => {
            let (files, notes) = exchange::export_caddy(bundle);
            exchange::write_caddy(out, &files)?;
            notes
        }
        Form::Pem => {
            exchange::write_caddy(out, &exchange::export_pem(bundle))?;
            Vec::new()
        }
    })
}

/// Traefik looks for what is its resolver's by the resolver's name, and orders anew what it does not find.
fn resolvers(bundle: &Bundle) -> String {
    let resolver = |issuer: &exchange::BundleIssuer| {
        format!("  {} is {}\n", issuer.name, issuer.directory.as_deref().unwrap_or("a CA that is not known"))
    };
    let all: String = bundle.issuers.iter().map(resolver).collect();
    format!("Its resolvers are called as below: call yours so, or change these names in the file\n{all}")
}

fn read(from: &ImportFrom) -> Result<Bundle> {
    let now = system_clock()();
    Ok(match from {
        ImportFrom::Traefik(from) => {
            let bundle = exchange::import_traefik(&exchange::read_traefik(&from.file)?, now);
            of(&from.file, bundle)?
        }
        ImportFrom::Caddy(from) => {
            let (files, notes) = exchange::read_caddy(&from.folder)?;
            let mut bundle = of(&from.folder, exchange::import_caddy(&files, now))?;
            bundle.notes.extend(notes);
            bundle
        }
        ImportFrom::Pem(from) => {
            let (chain, key) = (exchange::read_pem(&from.cert)?, exchange::read_pem(&from.key)?);
            let mut bundle = exchange::import_pem(&chain, &key, now)
                .with_context(|| format!("`{}` and `{}`", from.cert.display(), from.key.display()))?;
            bundle.notes.extend(exchange::exposed(&from.key));
            bundle
        }
    })
}

/// What is told of all of it names the file.
fn of(path: &Path, bundle: Result<Bundle, ExchangeError>) -> Result<Bundle> {
    let mut bundle = bundle.with_context(|| format!("`{}`", path.display()))?;
    let unplaced = bundle.notes.iter_mut().filter(|note| note.place.is_empty());
    unplaced.for_each(|note| note.place = path.display().to_string());
    Ok(bundle)
}

/// The store, and whether a process runs that uses it.
fn store_of(at: &StoreAt) -> Result<(PathBuf, bool)> {
    let running = running_store(&at.admin.address, at.store.is_some() || at.state_dir.is_some())?;
    Ok(match (&at.store, running) {
        (Some(named), running) => (named.clone(), running.is_some_and(|running| is_same(&running, named))),
        (None, Some(running)) => (running, true),
        (None, None) => (inputs::state_dir(at.state_dir.as_deref(), false)?.join("certificates"), false),
    })
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The store of the process that answers there; nobody may. One that hangs is passed over only where a store is `named`.
fn running_store(address: &str, named: bool) -> Result<Option<PathBuf>> {
    let answer = match client::ask(&Method::GET, address, "/api/status")? {
        Ok(answer) => answer,
        Err(client::NoAnswer::Silent(_)) if !named => bail!(
            "`{address}` takes connections and does not answer, so that its store is not known: name it with --store"
        ),
        Err(_) => return Ok(None),
    };
    let status: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(status["certificate_store"].as_str().map(PathBuf::from))
}

/// All certificates that the process serves or wants.
fn served(address: &str) -> Result<Vec<Value>> {
    let Some(answer) = ask(&Method::GET, address, "/api/certificates")? else { return Ok(Vec::new()) };
    serde_json::from_str(&answer.body).context("the answer is not JSON")
}

/// `NAME=URL` for one issuer, or `URL` for all that are not known; a known CA by its name.
struct Said {
    name: Option<String>,
    url: String,
}

impl Said {
    /// By the rule that the `directory` of an issuer is read by: it is to be the same one.
    fn read(text: &str) -> Result<Self> {
        let named = text.split_once('=').filter(|(name, _)| !name.contains("://"));
        let (name, directory) = named.map_or((None, text), |(name, directory)| (Some(name), directory));
        let url = pn_config::acme_directory(directory).map_err(|error| anyhow!("--directory: {error}"))?;
        Ok(Self { name: name.map(str::to_owned), url })
    }
}

/// What a site asks of a CA says of which one its certificate is, too.
fn settle_directories(bundle: &mut Bundle, said: Vec<Said>, served: &[Value]) -> Result<()> {
    for Said { name, url } in said {
        match name {
            Some(name) if bundle.set_directory(&name, &url) => {}
            Some(name) => bail!("--directory: nothing there is called `{name}`"),
            None => {
                for name in bundle.without_directory() {
                    bundle.set_directory(&name, &url);
                }
            }
        }
    }
    for name in bundle.without_directory() {
        let issuer = bundle.issuers.iter().find(|issuer| issuer.name == name);
        let ids = issuer.into_iter().flat_map(|issuer| &issuer.certificates);
        let ids: Vec<String> = ids.map(|record| certificate_id(&record.names)).collect();
        let asking = served.iter().find(|one| ids.iter().any(|id| one["id"] == id.as_str()));
        if let Some(directory) = asking.and_then(|one| one["renewal"]["directory"].as_str()) {
            bundle.set_directory(&name, directory);
        }
    }
    let unknown = bundle.without_directory();
    if unknown.is_empty() {
        return Ok(());
    }
    bail!(
        "which CA {} is of is not known: say it as --directory {}=URL, with the URL of the issuer's `directory`",
        unknown.join(", "),
        unknown.first().map_or("NAME", String::as_str)
    )
}

fn imported(report: &Report, path: &Path) -> String {
    let kept = match report.kept.len() {
        0 => String::new(),
        kept => format!("; {kept} are there already and as good (--replace takes these instead)"),
    };
    format!("{} accounts and certificates are stored in `{}`{kept}\n", report.stored.len(), path.display())
}

/// Has the process look at what is stored now.
fn take_over(bundle: &Bundle, served: &[Value], address: &str) -> Result<()> {
    let Some(answer) = ask(&Method::POST, address, "/api/certificates/rescan")? else { return Ok(()) };
    if answer.status != StatusCode::ACCEPTED {
        bail!("the running process does not look again by itself at once: {}", answer.body.trim_end());
    }
    output::print("The running process takes over what its sites ask for\n");
    let asked_for = |id: &str| served.iter().any(|one| one["id"] == id);
    let records = bundle.issuers.iter().flat_map(|issuer| &issuer.certificates);
    let idle = records.filter(|record| !asked_for(&certificate_id(&record.names)));
    tell(idle.map(|record| {
        format!(
            "{}: no site asks for exactly these names; it is stored, and not served",
            record.names.join(", ")
        )
    }));
    Ok(())
}

fn tell(notes: impl Iterator<Item = String>) {
    notes.for_each(|note| output::note(&format!("note: {note}\n")));
}

fn counts(bundle: &Bundle) -> (usize, usize) {
    let count = |(accounts, certificates), issuer: &exchange::BundleIssuer| {
        (accounts + issuer.accounts.len(), certificates + issuer.certificates.len())
    };
    bundle.issuers.iter().fold((0, 0), count)
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
