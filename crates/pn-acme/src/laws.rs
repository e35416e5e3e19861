//! What holds for any bytes that come from elsewhere: called by the fuzz targets, and by ordinary tests with less time.

use crate::exchange::{Bundle, CaddyFiles, export_caddy, export_traefik, import_caddy, import_traefik};
use crate::records::CertificateRecord;

/// An `acme.json`: what is taken from it survives being written and read again.
pub fn traefik(bytes: &[u8]) {
    let Ok(bundle) = import_traefik(bytes, 0) else { return };
    let (written, _) = export_traefik(&bundle);
    let again = import_traefik(&written, 0).unwrap_or_default();
    assert_eq!(certificates(&again), certificates(&bundle));
}

/// Files of a Caddy folder, path and content by turns, each ended by a NUL: what is written stays below its folder.
pub fn caddy(bytes: &[u8]) {
    let mut parts = bytes.split(|&byte| byte == 0);
    let mut files = CaddyFiles::new();
    while let (Some(path), Some(content)) = (parts.next(), parts.next()) {
        files.insert(String::from_utf8_lossy(path).into_owned(), content.to_vec());
    }
    let Ok(bundle) = import_caddy(&files, 0) else { return };
    for path in export_caddy(&bundle).0.keys() {
        let safe = |part: &str| !part.is_empty() && part != "." && part != "..";
        assert!(path.split('/').all(safe) && path.split('/').count() <= 5, "{path}");
    }
}

fn certificates(bundle: &Bundle) -> Vec<&CertificateRecord> {
    bundle.issuers.iter().flat_map(|issuer| &issuer.certificates).collect()
}
