//! What a store of many certificates costs: how long reading it takes, and what it weighs in memory. Figures for people
//! (`docs/certificate-storage.md`); nothing is judged here.
//!
//! ```text
//! cargo run -p pn-acme --release --example many_certificates -- make 10000 STORE CADDY
//! cargo run -p pn-acme --release --example many_certificates -- load STORE
//! ```
//!
//! `make` also writes the same certificates as Caddy's folder, so that both can be measured on one store.
#![expect(clippy::print_stdout, reason = "what it is for")]

use pn_acme::exchange::{Bundle, BundleIssuer, export_caddy, write_caddy};
use pn_acme::records::{CertificateRecord, Record, Source};
use pn_acme::storage::{CERTIFICATES, FileStore, Storage};
use pn_model::{HostPattern, Secret};
use pn_tls::{CertificateStore, CertifiedKey};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use time::{Duration, OffsetDateTime};

const DIRECTORY: &str = "https://ca.example:1/directory";
const AT_ONCE: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", number, store, caddy] => make(number.parse()?, Path::new(store), Path::new(caddy)).await,
        ["load", store] => load(Path::new(store)).await,
        _ => Err("make NUMBER STORE CADDY | load STORE".into()),
    }
}

async fn make(number: u32, store: &Path, caddy: &Path) -> Result<(), Box<dyn Error>> {
    let ca = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&ca)?.pem();
    let issuer = Issuer::new(params, ca);
    let certificates = (0..number).map(|at| certificate(at, &issuer, &root)).collect::<Result<_, _>>()?;
    let mut bundle = Bundle::default();
    bundle.issuers.push(BundleIssuer {
        name: "ca".into(),
        directory: Some(DIRECTORY.into()),
        certificates,
        ..BundleIssuer::default()
    });
    write_caddy(caddy, &export_caddy(&bundle).0)?;
    let began = Instant::now();
    let report = bundle.store(&FileStore::open(store)?, false).await?;
    println!("{} certificates stored in {:?}", report.stored.len(), began.elapsed());
    Ok(())
}

fn certificate(
    at: u32,
    issuer: &Issuer<'_, KeyPair>,
    root: &str,
) -> Result<CertificateRecord, Box<dyn Error>> {
    let name = format!("site{at}.example.org");
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.clone()])?;
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(89);
    let leaf = params.signed_by(&key, issuer)?.pem();
    Ok(CertificateRecord {
        names: vec![name],
        issuer_directory: DIRECTORY.into(),
        key_pem: Secret::new(key.serialize_pem()),
        chain_pem: format!("{leaf}{root}"),
        obtained_at: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        replaced_by: None,
        profile: None,
        ari: None,
        source: Source::Obtained,
        revoked_at: None,
        ocsp: None,
        unwanted_since: None,
        proven_by: None,
        unknown: serde_json::Map::new(),
    })
}

/// As the proxy does when it starts: every record is read, parsed and published for handshakes.
async fn load(path: &Path) -> Result<(), Box<dyn Error>> {
    let (began, before) = (Instant::now(), resident()?);
    let store = FileStore::open(path)?;
    let keys = store.list(CERTIFICATES).await?;
    println!("listed    {:>8} in {:?}", keys.len(), began.elapsed());
    let mut records = Vec::with_capacity(keys.len());
    for keys in keys.chunks(AT_ONCE) {
        for stored in store.load_many(keys).await? {
            records.extend(stored?.map(|stored| CertificateRecord::from_bytes(&stored.value)).transpose()?);
        }
    }
    println!("read      {:>8} in {:?}, {} KiB more", records.len(), began.elapsed(), resident()? - before);
    let served = CertificateStore::new();
    served.publish(pn_tls::Source::Acme, records.iter().map(ready).collect::<Result<Vec<_>, _>>()?);
    println!("published {:>8} in {:?}, {} KiB more", records.len(), began.elapsed(), resident()? - before);
    let names: Vec<String> = records.iter().flat_map(|record| record.names.clone()).collect();
    drop(records);
    println!("a lookup  {:>8} ns", lookup(&served, &names).as_nanos());
    println!("served                     {} KiB more", resident()? - before);
    Ok(())
}

/// Of one name after the other, far apart in memory.
fn lookup(served: &CertificateStore, names: &[String]) -> std::time::Duration {
    const LOOKUPS: usize = 1_000_000;
    let order = names.iter().cycle().step_by(7).take(LOOKUPS);
    let began = Instant::now();
    let found = order.filter(|name| std::hint::black_box(served.get(name)).is_some()).count();
    assert_eq!(found, LOOKUPS, "every name is there");
    began.elapsed() / LOOKUPS as u32
}

type Ready = (Vec<HostPattern>, Arc<CertifiedKey>);

fn ready(record: &CertificateRecord) -> Result<Ready, Box<dyn Error>> {
    let chain = CertificateDer::pem_slice_iter(record.chain_pem.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(record.key_pem.expose().as_bytes())?;
    let names = record.names.iter().map(|name| HostPattern::Exact(name.clone())).collect();
    Ok((names, pn_tls::certified_key(chain, key)?))
}

/// Resident memory in KiB.
fn resident() -> Result<i64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
