//! PEM (RFC 7468): written here; read by `rustls-pki-types`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in BASE64.encode(der).as_bytes().chunks(64) {
        pem.extend(line.iter().map(|&byte| char::from(byte)));
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}
