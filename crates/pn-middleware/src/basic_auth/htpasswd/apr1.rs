//! Apache's MD5 hash (`$apr1$`), as htpasswd made it for years: a thousand rounds over password and salt.

use md5::{Digest, Md5};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of salt that count.
const SALT: usize = 8;

/// The digest in Apache's own base64.
pub(super) fn apr1(password: &[u8], salt: &[u8]) -> String {
    let salt = salt.get(..SALT).unwrap_or(salt);
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut digest = Md5::new().chain_update(password).chain_update(b"$apr1$").chain_update(salt);
    digest.update(inner.iter().cycle().take(password.len()).copied().collect::<Vec<u8>>());
    let mut bits = password.len();
    while bits > 0 {
        let byte = if bits & 1 == 1 { 0 } else { password.first().copied().unwrap_or(0) };
        digest.update([byte]);
        bits >>= 1;
    }
    let mut last = digest.finalize();
    for round in 0..1000 {
        let mut digest = Md5::new();
        digest.update(if round % 2 == 1 { password } else { &last[..] });
        if round % 3 != 0 {
            digest.update(salt);
        }
        if round % 7 != 0 {
            digest.update(password);
        }
        digest.update(if round % 2 == 1 { &last[..] } else { password });
        last = digest.finalize();
    }
    encode(&last)
}

/// The bytes in the order of `crypt`, three to four characters.
fn encode(digest: &[u8]) -> String {
    const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let byte = |at: usize| u32::from(digest.get(at).copied().unwrap_or(0));
    let mut out = String::with_capacity(22);
    for [high, middle, low] in ORDER {
        push(&mut out, byte(high) << 16 | byte(middle) << 8 | byte(low), 4);
    }
    push(&mut out, byte(11), 2);
    out
}

fn push(out: &mut String, mut word: u32, characters: usize) {
    for _ in 0..characters {
        let at = usize::try_from(word & 63).unwrap_or(0);
        out.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'.')));
        word >>= 6;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn digests_are_those_of_openssl() {
        for (password, salt, expected) in EXPECTED {
            assert_eq!(super::apr1(password.as_bytes(), salt.as_bytes()), expected, "{password} {salt}");
        }
    }

    /// `openssl passwd -apr1 -salt SALT PASSWORD`
    const EXPECTED: [(&str, &str, &str); 3] = [
        ("secret", "abcdefgh", "h9FWgUz3n9YxylKLlR5SQ/"),
        ("a much longer password than sixteen bytes", "xy", "KWmjAYxMqmqTjytotPjDu."),
        ("x", "12345678", "zbBEMgfXu4mAHPrplrtNt."),
    ];
}
