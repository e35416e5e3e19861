//! The key of an account: read, written, and signed with. Keys of certificates are not here.

use super::super::pem;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use pn_model::acme::KeyType;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// The key that an account at a CA signs with. Cheap to clone; never printed.
#[derive(Clone)]
pub struct AccountKey(Arc<Pair>);

enum Pair {
    Ec { curve: &'static Curve, pair: EcdsaKeyPair },
    Rsa(RsaKeyPair),
}

#[derive(Debug)]
struct Curve {
    /// RFC 7518 section 6.2.1.1
    name: &'static str,
    /// RFC 7518 section 3.1
    algorithm: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
}

static P256: Curve = Curve { name: "P-256", algorithm: "ES256", signing: &ECDSA_P256_SHA256_FIXED_SIGNING };
static P384: Curve = Curve { name: "P-384", algorithm: "ES384", signing: &ECDSA_P384_SHA384_FIXED_SIGNING };

/// CAs take no RSA key that is smaller, and few one that is larger.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("is no private key in PEM or DER (PKCS#8, SEC1 or PKCS#1)")]
    Unreadable,
    #[error(
        "is a private key of a kind that accounts cannot have; P-256, P-384 and RSA of 2048 to 4096 bits can be used"
    )]
    Kind,
    #[error("the key cannot be made or cannot sign")]
    Crypto,
}

impl AccountKey {
    /// A new one. RSA takes up to seconds: not on a thread that others wait for.
    pub fn generate(kind: KeyType) -> Result<Self, KeyError> {
        let pair = match kind {
            KeyType::P256 => Pair::generate_ec(&P256),
            KeyType::P384 => Pair::generate_ec(&P384),
            KeyType::Rsa2048 => Pair::generate_rsa(rsa::KeySize::Rsa2048),
            KeyType::Rsa3072 => Pair::generate_rsa(rsa::KeySize::Rsa3072),
            KeyType::Rsa4096 => Pair::generate_rsa(rsa::KeySize::Rsa4096),
        };
        pair.map(|pair| Self(Arc::new(pair)))
    }

    /// The first private key of a PEM text: PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Unreadable)?;
        Self::from_der(key.secret_der())
    }

    /// The same in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Pair::from_der(der)?;
        if let Pair::Rsa(pair) = &pair
            && !RSA_BITS.contains(&(pair.public_modulus_len() * 8))
        {
            return Err(KeyError::Kind);
        }
        Ok(Self(Arc::new(pair)))
    }

    /// For the account's file. Not to be printed.
    pub fn to_pkcs8_pem(&self) -> Result<String, KeyError> {
        match &*self.0 {
            Pair::Ec { pair, .. } => pair.to_pkcs8v1().map(|der| pem::encode("PRIVATE KEY", der.as_ref())),
            Pair::Rsa(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| pem::encode("PRIVATE KEY", der.as_ref()))
            }
        }
        .map_err(|_| KeyError::Crypto)
    }

    /// What challenges are bound to (RFC 7638): base64url of the SHA-256 of the public key.
    pub fn thumbprint(&self) -> String {
        // serde_json sorts the members and adds no space, as section 3 wants it.
        BASE64URL.encode(Sha256::digest(self.jwk().to_string()))
    }

    /// The public key (RFC 7517), with the members that section 3.2 of RFC 7638 demands and no others.
    pub(crate) fn jwk(&self) -> Value {
        match &*self.0 {
            Pair::Ec { curve, pair } => {
                // 0x04, then both coordinates (SEC 1 section 2.3.3).
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({"crv": curve.name, "kty": "EC", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y)})
            }
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = BASE64URL.encode(key.modulus().big_endian_without_leading_zero());
                let e = BASE64URL.encode(key.exponent().big_endian_without_leading_zero());
                json!({"e": e, "kty": "RSA", "n": n})
            }
        }
    }

    /// RFC 7518 section 3.1
    pub(crate) fn algorithm(&self) -> &'static str {
        match &*self.0 {
            Pair::Ec { curve, .. } => curve.algorithm,
            Pair::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &*self.0 {
            Pair::Ec { pair, .. } => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| KeyError::Crypto)
    }
}

impl PartialEq for AccountKey {
    fn eq(&self, other: &Self) -> bool {
        self.jwk() == other.jwk()
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({}, {})", self.algorithm(), self.thumbprint())
    }
}

impl Pair {
    fn generate_ec(curve: &'static Curve) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(curve.signing).map_err(|_| KeyError::Crypto)?;
        Ok(Self::Ec { curve, pair })
    }

    fn generate_rsa(size: rsa::KeySize) -> Result<Self, KeyError> {
        RsaKeyPair::generate(size).map(Self::Rsa).map_err(|_| KeyError::Crypto)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        for curve in [&P256, &P384] {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve.signing, der) {
                return Ok(Self::Ec { curve, pair });
            }
        }
        let rsa = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        rsa.map(Self::Rsa).map_err(|_| match PrivateKeyDer::try_from(der) {
            Ok(_) => KeyError::Kind,
            Err(_) => KeyError::Unreadable,
        })
    }
}
