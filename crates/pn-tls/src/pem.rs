//! Reading PEM: certificates, keys and revocation lists, from files or from the text of a secret. A file named by
//! several sites is read once in a build.

use crate::error::{TlsErrorKind, unreadable};
use pn_model::limits::PEM_FILE_BYTES;
use pn_model::site::PemSource;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct PemReader {
    files: HashMap<PathBuf, Arc<[u8]>>,
}

impl PemReader {
    /// At least one.
    pub(crate) fn certificates(
        &mut self,
        source: &PemSource,
    ) -> Result<Vec<CertificateDer<'static>>, TlsErrorKind> {
        self.all(source, "certificate")
    }

    /// At least one.
    pub(crate) fn revocation_lists(
        &mut self,
        source: &PemSource,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsErrorKind> {
        self.all(source, "certificate revocation list")
    }

    pub(crate) fn key(&mut self, source: &PemSource) -> Result<PrivateKeyDer<'static>, TlsErrorKind> {
        let text = self.text(source)?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| fault(source, "private key", &error))
    }

    fn all<T: PemObject>(
        &mut self,
        source: &PemSource,
        wanted: &'static str,
    ) -> Result<Vec<T>, TlsErrorKind> {
        let text = self.text(source)?;
        let found: Result<Vec<T>, _> = T::pem_slice_iter(&text).collect();
        let found = found.map_err(|error| fault(source, wanted, &error))?;
        if found.is_empty() {
            return Err(TlsErrorKind::Missing { source_name: name_of(source), wanted });
        }
        Ok(found)
    }

    fn text(&mut self, source: &PemSource) -> Result<Arc<[u8]>, TlsErrorKind> {
        let path = match source {
            PemSource::Inline(secret) => return Ok(secret.expose().as_bytes().into()),
            PemSource::File(path) => path,
        };
        if let Some(text) = self.files.get(path) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<[u8]> = read_bounded(path)?.into();
        self.files.insert(path.clone(), Arc::clone(&text));
        Ok(text)
    }
}

/// How a source is called in messages. Never its content.
pub(crate) fn name_of(source: &PemSource) -> String {
    match source {
        PemSource::File(path) => format!("`{}`", path.display()),
        PemSource::Inline(_) => "the text of the secret".into(),
    }
}

fn fault(source: &PemSource, wanted: &'static str, error: &rustls_pki_types::pem::Error) -> TlsErrorKind {
    let source_name = name_of(source);
    match error {
        rustls_pki_types::pem::Error::NoItemsFound => TlsErrorKind::Missing { source_name, wanted },
        other => TlsErrorKind::Invalid { source_name, reason: other.to_string() },
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, TlsErrorKind> {
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut text = Vec::new();
    file.take(PEM_FILE_BYTES + 1).read_to_end(&mut text).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > PEM_FILE_BYTES {
        return Err(unreadable(path, &format!("it is larger than {} MiB", PEM_FILE_BYTES >> 20)));
    }
    Ok(text)
}
