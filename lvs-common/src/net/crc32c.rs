//! `CRC32c` (RFC 9260 appendix A), and what an edit at the beginning of a packet does to it.
//!
//! A CRC is linear: the difference that an edit makes depends on the edited bits and on how many bytes
//! follow them, not on what those bytes are. So it is found without reading the packet.

/// The polynomial, bits reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Doublings of distance that are known: up to 2^16 bytes.
const DOUBLINGS: usize = 16;

/// What 2^k zero bytes do to a register, for every k; a column for each of its bits.
static ZEROS: [[u32; 32]; DOUBLINGS] = {
    let mut powers = [[0; 32]; DOUBLINGS];
    let mut bit = 0;
    while bit < 32 {
        powers[0][bit] = steps(1 << bit, 8);
        bit += 1;
    }
    let mut k = 1;
    while k < DOUBLINGS {
        let mut bit = 0;
        while bit < 32 {
            powers[k][bit] = times(&powers[k - 1], powers[k - 1][bit]);
            bit += 1;
        }
        k += 1;
    }
    powers
};

/// What a CRC differs by when the first four bytes of a packet change.
///
/// `edit` is their difference, bit by bit, as they lie; `behind` says how many bytes follow. `veil` keeps
/// the compiler from making branches of bits.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "halves of what was put together here")]
pub fn difference(edit: u32, behind: u16, veil: impl Fn(u64) -> u64) -> u32 {
    let mut register = u32::from_le_bytes(edit.to_ne_bytes());
    // verifier: no branch but the loops', or it would walk 2^16 ways through them; and products instead
    // of masks, since it tries an AND of a constant with 0 or -1 for each of the two.
    let bit_of = |word: u32| veil(u64::from(word & 1)) as u32;
    let mut bit = 0;
    while bit < 32 {
        register = register >> 1 ^ POLYNOMIAL.wrapping_mul(bit_of(register));
        bit += 1;
    }
    let (mut behind, mut k) = (u32::from(behind), 0);
    while k < DOUBLINGS {
        let (mut moved, mut rest, mut bit) = (0, register, 0);
        while bit < 32 {
            moved ^= ZEROS[k][bit].wrapping_mul(bit_of(rest));
            // Veiled: all the bits at once would be on the stack.
            rest = veil(u64::from(rest >> 1)) as u32;
            bit += 1;
        }
        register ^= (register ^ moved).wrapping_mul(bit_of(behind));
        behind = veil(u64::from(behind >> 1)) as u32;
        k += 1;
    }
    register
}

/// The register after so many zero bits.
const fn steps(mut register: u32, bits: usize) -> u32 {
    let mut bit = 0;
    while bit < bits {
        register = register >> 1 ^ POLYNOMIAL & 0u32.wrapping_sub(register & 1);
        bit += 1;
    }
    register
}

/// A matrix by columns times a register.
const fn times(columns: &[u32; 32], register: u32) -> u32 {
    let (mut product, mut bit) = (0, 0);
    while bit < 32 {
        product ^= columns[bit] & 0u32.wrapping_sub(register >> bit & 1);
        bit += 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit by bit, as the RFC has it.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |register, byte| steps(register ^ u32::from(*byte), 8))
    }

    #[test]
    fn the_check_value_of_rfc_3720() {
        assert_eq!(crc(b"123456789"), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn an_edit_is_as_the_whole_anew(
            mut packet in prop::collection::vec(any::<u8>(), 4..2000),
            after in any::<[u8; 4]>(),
        ) {
            let before = crc(&packet);
            let old = u32::from_ne_bytes(packet[..4].try_into().unwrap());
            packet[..4].copy_from_slice(&after);
            let behind = u16::try_from(packet.len() - 4).unwrap();
            let edit = old ^ u32::from_ne_bytes(after);
            prop_assert_eq!(before ^ difference(edit, behind, |bit| bit), crc(&packet));
        }
    }
}
