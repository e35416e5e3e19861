//! Lines of a users file. Checking passwords lives in `pn-middleware`.

use std::fmt;

/// What is wrong with a line. Never shows the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// No `name:hash`.
    Form,
    /// The password itself, or a hash that is not taken.
    Hash,
}

/// The user's name of a `name:hash` line, whose hash is bcrypt, apr1 or SHA1.
pub(crate) fn user(line: &str) -> Result<&str, Wrong> {
    let (name, hash) = line.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(Wrong::Form)?;
    let known = ["$2a$", "$2b$", "$2y$", "$apr1$", "{SHA}"].into_iter().any(|start| hash.starts_with(start));
    if known { Ok(name) } else { Err(Wrong::Hash) }
}

impl Wrong {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Form => "invalid-value",
            Self::Hash => "plaintext-credentials",
        }
    }

    pub(crate) fn help(self) -> &'static str {
        "`proxy-now hash-password` prints such a line"
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "a user is written `name:hash`",
            Self::Hash => "this is no hash of bcrypt, apr1 or SHA1: passwords are not kept in plain text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("ann:$2y$05$abc", Ok("ann")),
            ("ann:$apr1$a$b", Ok("ann")),
            ("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Ok("ann")),
            ("ann:secret", Err(Wrong::Hash)),
            ("ann:$1$a$b", Err(Wrong::Hash)),
            ("ann", Err(Wrong::Form)),
            (":x", Err(Wrong::Form)),
        ] {
            assert_eq!(user(line), expected, "{line}");
        }
    }
}
