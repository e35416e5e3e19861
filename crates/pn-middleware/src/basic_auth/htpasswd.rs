//! Users and hashes in htpasswd's form: bcrypt, apr1 (MD5) and SHA1. Nothing weaker, and no plain text.

use crate::basic_auth::htpasswd::apr1::apr1;
use ahash::HashMap;
use base64::Engine;
use pn_core::BuildError;
use sha1::{Digest, Sha1};
use sha2::Sha256;

mod apr1;

#[derive(Debug)]
pub(super) struct Users {
    by_name: HashMap<String, Hash>,
    decoy: Hash,
}

/// Prints no part of itself.
#[derive(Clone)]
pub(super) enum Hash {
    Bcrypt(String),
    Apr1 { salt: String, digest: String },
    Sha1(String),
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Users {
    /// Lines of `name:hash`; empty ones and those that begin with `#` are passed over.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self, BuildError> {
        let mut by_name = HashMap::default();
        for (number, line) in (1..).zip(lines.flat_map(str::lines).map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').ok_or_else(|| bad(number, "it is not `name:hash`"))?;
            let hash = Hash::parse(hash).map_err(|why| bad(number, &format!("user `{name}`: {why}")))?;
            if by_name.insert(name.to_owned(), hash).is_some() {
                return Err(bad(number, &format!("user `{name}` is there twice")));
            }
        }
        let decoy =
            by_name.values().find(|hash| matches!(hash, Hash::Bcrypt(_))).or_else(|| by_name.values().next());
        let decoy = decoy.cloned().unwrap_or(Hash::Sha1(String::new()));
        Ok(Self { by_name, decoy })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn has(&self, user: &str) -> bool {
        self.by_name.contains_key(user)
    }

    pub(super) fn find(&self, user: &str) -> Option<&Hash> {
        self.by_name.get(user)
    }

    /// A hash to check the passwords of unknown users against, so that time does not tell them from known ones.
    pub(super) fn decoy(&self) -> &Hash {
        &self.decoy
    }

    /// Stands for all users and their hashes.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let mut lines: Vec<_> =
            self.by_name.iter().map(|(name, hash)| format!("{name}:{}", hash.text())).collect();
        lines.sort_unstable();
        Sha256::digest(lines.join("\n")).to_vec()
    }
}

impl Hash {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if ["$2y$", "$2a$", "$2b$", "$2x$"].iter().any(|prefix| text.starts_with(prefix)) {
            let parts = text.parse::<bcrypt::HashParts>();
            return parts
                .map(|_| Self::Bcrypt(text.to_owned()))
                .map_err(|_| "a bcrypt hash that cannot be read");
        }
        if let Some(rest) = text.strip_prefix("$apr1$") {
            let (salt, digest) = rest.split_once('$').ok_or("an apr1 hash without salt")?;
            return Ok(Self::Apr1 { salt: salt.to_owned(), digest: digest.to_owned() });
        }
        if let Some(digest) = text.strip_prefix("{SHA}") {
            return Ok(Self::Sha1(digest.to_owned()));
        }
        Err("the hash is neither bcrypt, apr1 nor {SHA}; `proxy-now hash-password` makes one")
    }

    pub(super) fn verify(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Apr1 { salt, digest } => same(&apr1(password.as_bytes(), salt.as_bytes()), digest),
            Self::Sha1(digest) => {
                same(&base64::prelude::BASE64_STANDARD.encode(Sha1::digest(password.as_bytes())), digest)
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bcrypt(hash) => hash.clone(),
            Self::Apr1 { salt, digest } => format!("$apr1${salt}${digest}"),
            Self::Sha1(digest) => format!("{{SHA}}{digest}"),
        }
    }
}

/// Without telling by its time where two texts differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn bad(line: usize, why: &str) -> BuildError {
    BuildError::new(["basic-auth"], format!("line {line} of the users cannot be read: {why}"))
}

/// Nothing is shown of a hash, and checking a password against whatever was taken comes to an end.
#[cfg(any(test, fuzzing))]
pub(crate) fn law(text: &str) {
    let Ok(users) = Users::parse(std::iter::once(text)) else { return };
    assert!(users.is_empty() || !users.fingerprint().is_empty());
    for hash in users.by_name.values().chain([users.decoy()]) {
        assert_eq!(format!("{hash:?}"), "***");
        // What bcrypt costs is its purpose.
        if !matches!(hash, Hash::Bcrypt(_)) {
            assert!(!hash.verify("\u{1}no password of anybody"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hash: &str, password: &str, expected: bool) {
        assert_eq!(Hash::parse(hash).unwrap().verify(password), expected, "{hash} {password}");
    }

    #[test]
    fn hashes_of_htpasswd_and_openssl_verify() {
        // openssl passwd -apr1 -salt abcdefgh secret; htpasswd -nbs
        check("$apr1$abcdefgh$9/1ASjLYPsTBUSZ/rFbZa.", "wrong", false);
        check("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", true);
        check("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "Secret", false);
        let hash = bcrypt::hash("secret", 4).unwrap();
        check(&hash, "secret", true);
        check(&hash, "secret ", false);
    }

    #[test]
    fn what_is_weaker_or_cannot_be_read_is_refused() {
        for line in
            ["anna", "anna:secret", "anna:$2y$broken", "anna:$apr1$nosalt", "anna:abJnggxhB/yWI", "anna:"]
        {
            assert!(Users::parse([line].into_iter()).is_err(), "{line}");
        }
        let twice = Users::parse(["a:{SHA}x\na:{SHA}y"].into_iter());
        assert!(
            twice.is_err_and(|error| error.message.contains("twice") && error.message.contains("line 2"))
        );
        assert!(Users::parse(["# nobody", ""].into_iter()).is_ok_and(|users| users.is_empty()));
    }
}
