//! Caddy's data directory, in the layout of certmagic:
//!
//! ```text
//! certificates/ISSUER/NAME/NAME.crt, .key, .json      a certificate; ISSUER is host and path of the directory's URL
//! acme/ISSUER/users/EMAIL/USER.json, .key             an account; USER is EMAIL before the @, or `default`
//! ```
//!
//! Files are a map here, from their path with `/` to what they hold.

use super::material::{self, Certificates, certificate, end, expiry_note};
use super::{Bundle, BundleIssuer, ExchangeError, Note, directory_of_account, told};
use crate::Time;
use crate::records::{AccountRecord, CertificateRecord};
use pn_model::acme::DIRECTORIES;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// By path below the data directory.
pub type CaddyFiles = BTreeMap<String, Vec<u8>>;

/// A file's name has 255 bytes at most on every usual file system, `.json` and `.proxy-now.tmp` among them.
const FILE_NAME: usize = 236;
/// Issuers of Caddy that speak no ACME: its own CA.
const INTERNAL: &str = "local";

#[derive(Default, Serialize, Deserialize)]
struct Meta {
    #[serde(default)]
    sans: Vec<String>,
    #[serde(default)]
    issuer_data: Option<IssuerData>,
}

#[derive(Default, Serialize, Deserialize)]
struct IssuerData {
    /// Of the directory.
    #[serde(default)]
    ca: String,
    /// URL of the account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    account: String,
}

/// All issuers of the folder but Caddy's own CA. `now` as in `import_traefik`.
pub fn import_caddy(files: &CaddyFiles, now: Time) -> Result<Bundle, ExchangeError> {
    let known = |path: &String| path.starts_with("certificates/") || path.starts_with("acme/");
    if !files.keys().any(known) {
        return Err(ExchangeError::NotCaddy);
    }
    let mut import = Import { files, now, bundle: Bundle::default(), issuers: BTreeMap::new() };
    for path in files.keys() {
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["certificates", issuer, _, file] if file.ends_with(".crt") => import.certificate(issuer, path),
            ["acme", issuer, "users", _, file] if file.ends_with(".json") => import.account(issuer, path),
            _ => {}
        }
    }
    Ok(import.finish())
}

/// The files that Caddy would have written, with what it cannot be told. A certificate of several names is there under
/// each of them, as Caddy looks for one by one name.
pub fn export_caddy(bundle: &Bundle) -> (CaddyFiles, Vec<Note>) {
    let (mut files, mut notes) = (CaddyFiles::new(), Vec::new());
    for issuer in &bundle.issuers {
        let Some(directory) = &issuer.directory else {
            let message = "it is left out, as the directory of its CA is not known".into();
            notes.push(Note { place: issuer.name.clone(), message });
            continue;
        };
        let folder = issuer_key(directory);
        for account in &issuer.accounts {
            files.extend(account_files(&folder, account));
        }
        let account = issuer.accounts.first().map(|account| account.url.clone()).unwrap_or_default();
        // Of several for one name, that of the fewest names has the place, then the one that is valid longest.
        let mut certificates: Vec<_> = issuer.certificates.iter().collect();
        certificates.sort_by_key(|record| (Reverse(record.names.len()), end(record)));
        for certificate in &certificates {
            files.extend(certificate_files(&folder, directory, &account, certificate));
        }
        for certificate in certificates.into_iter().filter(|record| !has_place(&files, &folder, record)) {
            let message = "it is left out, as Caddy keeps one certificate for a name, under a name that a file can have";
            notes.push(Note { place: certificate.names.join(", "), message: message.into() });
        }
    }
    (files, notes)
}

struct Import<'a> {
    files: &'a CaddyFiles,
    now: Time,
    bundle: Bundle,
    /// By the name of their folder.
    issuers: BTreeMap<String, (BundleIssuer, Certificates)>,
}

impl Import<'_> {
    fn certificate(&mut self, folder: &str, path: &str) {
        if folder == INTERNAL {
            let message = "it is left out: Caddy's own CA signed it; sites of the internal CA get new ones";
            return self.bundle.note(path, message);
        }
        let meta = self.beside(path, ".crt", ".json");
        let meta: Meta = serde_json::from_slice(meta).unwrap_or_default();
        let first = path.split('/').nth(2).unwrap_or_default().replace("wildcard_", "*");
        let record =
            certificate(self.beside(path, ".crt", ".crt"), self.beside(path, ".crt", ".key"), &first);
        let record = match record {
            Ok(record) => record,
            Err(reason) => return self.bundle.note(path, format!("it is left out: {reason}")),
        };
        if let Some(message) = expiry_note(&record, self.now) {
            self.bundle.note(path, message);
        }
        let (issuer, certificates) = self.issuer(folder);
        let directory = meta.issuer_data.map(|data| data.ca).filter(|url| issuer_key(url) == folder);
        issuer.directory = issuer.directory.take().or(directory);
        // One of several names is there once for each of them.
        certificates.add(record);
    }

    fn account(&mut self, folder: &str, path: &str) {
        let account =
            account(self.beside(path, ".json", ".json"), self.beside(path, ".json", ".key"), self.now);
        match account {
            Ok(account) => {
                let (issuer, _) = self.issuer(folder);
                let directory = directory_of_account(&account.url).filter(|url| issuer_key(url) == folder);
                issuer.directory = issuer.directory.take().or(directory);
                issuer.accounts.push(account);
            }
            Err(reason) => {
                self.bundle.note(path, format!("it is left out, and a new account registered: {reason}"));
            }
        }
    }

    fn finish(mut self) -> Bundle {
        for (name, (mut issuer, certificates)) in self.issuers {
            issuer.certificates = certificates.into_vec();
            let known = DIRECTORIES.iter().find(|known| issuer_key(known.url) == name);
            let known = known.map(|known| known.url.to_owned());
            if let Some(directory) = issuer.directory.take().or(known) {
                issuer.set_directory(directory);
            }
            self.bundle.issuers.push(issuer);
        }
        self.bundle
    }

    fn issuer(&mut self, folder: &str) -> &mut (BundleIssuer, Certificates) {
        let named = || BundleIssuer { name: folder.to_owned(), ..BundleIssuer::default() };
        self.issuers.entry(folder.to_owned()).or_insert_with(|| (named(), Certificates::default()))
    }

    /// The file of the same name with another ending; empty where there is none.
    fn beside(&self, path: &str, ending: &str, other: &str) -> &[u8] {
        let stem = path.strip_suffix(ending).unwrap_or(path);
        self.files.get(&format!("{stem}{other}")).map(Vec::as_slice).unwrap_or_default()
    }
}

fn account(json: &[u8], key: &[u8], now: Time) -> Result<AccountRecord, String> {
    let mut body: Map<String, Value> =
        serde_json::from_slice(json).map_err(|error| format!("it cannot be read ({})", told(&error)))?;
    let url = body.remove("location").and_then(|url| url.as_str().map(str::to_owned));
    let url = url.filter(|url| !url.is_empty()).ok_or("it was never registered")?;
    let contact = body.get("contact").and_then(|list| list.get(0)).and_then(Value::as_str);
    let email = contact.and_then(|contact| contact.strip_prefix("mailto:")).map(str::to_owned);
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "it has no key")?;
    material::account(url, email, &key, Value::Object(body), now)
}

fn account_files(folder: &str, account: &AccountRecord) -> [(String, Vec<u8>); 2] {
    let email = account.email.as_deref().unwrap_or("default").to_lowercase();
    let user = email.split_once('@').map_or(
        email.as_str(),
        |(user, domain)| {
            if user.is_empty() { domain } else { user }
        },
    );
    let stem = format!("acme/{folder}/users/{}/{}", safe(&email), safe(user));
    let mut body = account.body.as_object().cloned().unwrap_or_default();
    body.insert("location".into(), json!(account.url));
    body.entry("status").or_insert_with(|| json!("valid"));
    if let Some(email) = &account.email {
        body.entry("contact").or_insert_with(|| json!([format!("mailto:{email}")]));
    }
    let json = serde_json::to_vec_pretty(&body).unwrap_or_default();
    [(format!("{stem}.json"), json), (format!("{stem}.key"), account.key_pem.expose().into())]
}

fn certificate_files(
    folder: &str,
    directory: &str,
    account: &str,
    record: &CertificateRecord,
) -> Vec<(String, Vec<u8>)> {
    let issuer_data = Some(IssuerData { ca: directory.to_owned(), account: account.to_owned() });
    let meta = Meta { sans: record.names.clone(), issuer_data };
    let meta = serde_json::to_vec_pretty(&meta).unwrap_or_default();
    let files = |stem: String| {
        [
            (format!("{stem}.crt"), record.chain_pem.clone().into_bytes()),
            (format!("{stem}.key"), record.key_pem.expose().into()),
            (format!("{stem}.json"), meta.clone()),
        ]
    };
    stems(folder, record).flat_map(files).collect()
}

/// What its files are called, without their endings.
fn stems(folder: &str, record: &CertificateRecord) -> impl Iterator<Item = String> {
    let names = record.names.iter().map(|name| safe(name));
    let names = names.filter(|name| name.len() <= FILE_NAME && name.contains(char::is_alphanumeric));
    names.map(move |name| format!("certificates/{folder}/{name}/{name}"))
}

fn has_place(files: &CaddyFiles, folder: &str, record: &CertificateRecord) -> bool {
    let chain = |stem: String| files.get(&format!("{stem}.crt"));
    stems(folder, record).filter_map(chain).any(|chain| *chain == record.chain_pem.as_bytes())
}

/// The folder of a CA: host and path of its directory's URL, joined by hyphens.
fn issuer_key(directory: &str) -> String {
    let rest = directory.split_once("://").map_or(directory, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.replace(['/', '\\'], "-");
    let path = path.trim_matches('-');
    safe(&if path.is_empty() { host.to_owned() } else { format!("{host}-{path}") })
}

/// A text as certmagic has it in a path. The dots are looked for once more at the end: what stood between two may be
/// gone.
fn safe(text: &str) -> String {
    let text = text.to_lowercase();
    let text = text.trim().replace(' ', "_").replace('+', "_plus_").replace('*', "wildcard_");
    let text = text.replace(':', "-").replace("..", "");
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '.' | '-');
    text.chars().filter(kept).collect::<String>().replace("..", "")
}
