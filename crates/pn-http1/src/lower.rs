//! Names of fields in lower case.

/// Brings a name into lower case, eight bytes at a time: every field of every message comes by here.
pub(crate) fn lower(name: &mut [u8]) {
    if name.len() < 8 {
        return lower_short(name);
    }
    for word in name.chunks_exact_mut(8) {
        if let Some(word) = word.first_chunk_mut() {
            *word = lower_word(u64::from_le_bytes(*word)).to_le_bytes();
        }
    }
    // The last word overlaps the one before it.
    if let Some(last) = name.last_chunk_mut() {
        *last = lower_word(u64::from_le_bytes(*last)).to_le_bytes();
    }
}

/// Of less than eight bytes.
fn lower_short(name: &mut [u8]) {
    let (Some(front), Some(back)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) else {
        return name.make_ascii_lowercase();
    };
    let both = u64::from(u32::from_le_bytes(*front)) | u64::from(u32::from_le_bytes(*back)) << 32;
    let [a, b, c, d, back @ ..] = lower_word(both).to_le_bytes();
    if let Some(front) = name.first_chunk_mut() {
        *front = [a, b, c, d];
    }
    if let Some(last) = name.last_chunk_mut() {
        *last = back;
    }
}

fn lower_word(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let low = word & !HIGH;
    // In the highest bit of each byte: at least `A`, beyond `Z`, ASCII.
    let (from, beyond) = (low + ONES * (0x80 - b'A' as u64), low + ONES * (0x7f - b'Z' as u64));
    let upper = from & !beyond & !word & HIGH;
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_come_to_lower_case() {
        let letters = b"AZaz@[`{-_0X^~|MnOpQ!rStUvWxY";
        for length in 0..letters.len() {
            for from in 0..letters.len() - length {
                let mut name = letters[from..from + length].to_vec();
                lower(&mut name);
                assert_eq!(name, letters[from..from + length].to_ascii_lowercase());
            }
        }
    }
}
