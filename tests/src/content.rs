//! The content of transfers: the same on both ends, so that every byte can be checked.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use crc32fast::Hasher;

/// The content repeats after this many bytes: a prime, so that no buffer or segment size divides it
/// and a piece at the wrong place is seen.
const PERIOD: usize = 65_521;

/// The longest piece [`at`] returns.
const PIECE: usize = 64 * 1024;

/// A piece of the content from `offset` on, at most `length` bytes long and never empty unless
/// `length` is 0.
#[must_use]
pub fn at(offset: u64, length: u64) -> &'static [u8] {
    let start = usize::try_from(offset % PERIOD as u64).unwrap_or_default();
    let length = usize::try_from(length).map_or(PIECE, |length| length.min(PIECE));
    &block()[start..start + length]
}

/// CRC-32 (as in gzip) of the first `length` bytes, as eight hexadecimal digits.
#[must_use]
pub fn checksum(length: u64) -> String {
    let mut hasher = Hasher::new();
    let mut offset = 0;
    while offset < length {
        let piece = at(offset, length - offset);
        hasher.update(piece);
        offset += piece.len() as u64;
    }
    shown(hasher)
}

/// CRC-32 of bytes, as eight hexadecimal digits.
#[must_use]
pub fn shown(hasher: Hasher) -> String {
    format!("{:08x}", hasher.finalize())
}

/// One period and a piece more, so that every piece is contiguous.
fn block() -> &'static [u8] {
    static BLOCK: OnceLock<Vec<u8>> = OnceLock::new();
    BLOCK.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            // xorshift64 (Marsaglia): all that is asked is that neighbours differ.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        let period: Vec<u8> = (0..PERIOD).map(|_| next()).collect();
        period.iter().cycle().take(PERIOD + PIECE).copied().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_same_content_wherever_it_is_cut() {
        let joined = |step: u64| {
            let mut bytes = Vec::new();
            while bytes.len() < 200_000 {
                let left = 200_000 - bytes.len() as u64;
                bytes.extend_from_slice(at(bytes.len() as u64, left.min(step)));
            }
            bytes
        };
        assert_eq!(joined(1_448), joined(65_536));
    }

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        assert_eq!(checksum(1_000), format!("{:08x}", crc32fast::hash(at(0, 1_000))));
        assert_ne!(checksum(1_000), checksum(1_001));
    }
}
