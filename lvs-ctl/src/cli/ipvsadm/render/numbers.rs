//! Numbers in nine columns.

/// `number` right-aligned: abbreviated by cutting digits, or all of them if `exact`.
pub(super) fn large(number: u64, exact: bool) -> String {
    const K: u64 = 1_000;
    const M: u64 = K * K;
    const G: u64 = M * K;
    const T: u64 = G * K;
    if exact {
        let text = number.to_string();
        return format!(" {text:>8}");
    }
    match number {
        0..100_000_000 => format!("{number:>9}"),
        100_000_000..G => format!("{:>8}K", number / K),
        G..100_000_000_000 => format!("{:>8}M", number / M),
        100_000_000_000..100_000_000_000_000 => format!("{:>8}G", number / G),
        _ => format!("{:>8}T", number / T),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_cut_not_rounded() {
        for (number, expected) in [
            (0, "        0"),
            (99_999_999, " 99999999"),
            (101_976_999, "  101976K"),
            (999_999_999, "  999999K"),
            (1_019_999_999, "    1019M"),
            (99_999_999_999, "   99999M"),
            (100_000_000_000, "     100G"),
            (99_999_999_999_999, "   99999G"),
            (100_000_000_000_000, "     100T"),
        ] {
            assert_eq!(large(number, false), expected);
        }
    }

    #[test]
    fn exact_numbers_push_the_column() {
        assert_eq!(large(7, true), "        7");
        assert_eq!(large(12_345_678, true), " 12345678");
        assert_eq!(large(123_456_789, true), " 123456789");
    }
}
