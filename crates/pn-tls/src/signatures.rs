//! What every verifier that takes any certificate still checks: that the other side has the key of the one it showed.

/// The methods on signatures of `ClientCertVerifier` and `ServerCertVerifier`, which are the same, by the algorithms of
/// `self`.
macro_rules! verify_signatures {
    ($verifier:ident by $algorithms:expr) => {
        fn verify_tls12_signature(
            &$verifier,
            message: &[u8],
            cert: &rustls_pki_types::CertificateDer<'_>,
            dss: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            rustls::crypto::verify_tls12_signature(message, cert, dss, &$algorithms)
        }

        fn verify_tls13_signature(
            &$verifier,
            message: &[u8],
            cert: &rustls_pki_types::CertificateDer<'_>,
            dss: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            rustls::crypto::verify_tls13_signature(message, cert, dss, &$algorithms)
        }
    };
}

pub(crate) use verify_signatures;
