//! Numbers as C's `strtol` reads them.

/// `text` as a decimal number within `range`: leading blanks and a sign are fine, anything after
/// the digits is not.
pub(super) fn decimal(text: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let (number, rest) = strtol(text)?;
    (rest.is_empty() && range.contains(&number)).then_some(number)
}

/// `text` as C's `atoi` reads it: what is no number is 0, what is too large wraps.
pub(super) fn atoi(text: &str) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "atoi casts long to int")]
    strtol_saturating(text).map_or(0, |(number, _)| number as i32)
}

/// Whether C's `isspace` calls it blank.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

fn strtol(text: &str) -> Option<(i64, &str)> {
    let (number, rest) = strtol_saturating(text)?;
    // ERANGE
    (number != i64::MAX && number != i64::MIN).then_some((number, rest))
}

fn strtol_saturating(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start_matches(is_space);
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].bytes().fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(sign * i64::from(digit - b'0'))
    });
    Some((number, &digits[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_blanks_and_zeros_are_numbers() {
        for text in ["3", "+3", " 3", "\t3", "0003", "00000000000000000000000000003"] {
            assert_eq!(decimal(text, 0..=9), Some(3), "{text:?}");
        }
        assert_eq!(decimal("-0", 0..=9), Some(0));
    }

    #[test]
    fn everything_else_is_none() {
        for text in
            ["", " ", "-", "+", "3 ", "3x", "0x3", "-1", "10", "99999999999999999999", "1.5"]
        {
            assert_eq!(decimal(text, 0..=9), None, "{text:?}");
        }
    }

    #[test]
    fn atoi_stops_at_what_is_no_digit_and_wraps() {
        assert_eq!(atoi("48x"), 48);
        assert_eq!(atoi("x"), 0);
        assert_eq!(atoi(" +12"), 12);
        assert_eq!(atoi("4294967297"), 1);
        assert_eq!(atoi("99999999999999999999"), -1);
    }
}
