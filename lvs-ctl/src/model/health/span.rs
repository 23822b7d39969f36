//! A length of time as operators write it.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// The longest that can be said: 31 days.
const LONGEST_MS: u64 = 31 * 24 * 3600 * 1000;

/// Units, longest first, milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 3600 * 1000), ("h", 3600 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

/// A length of time in whole milliseconds: `500ms`, `5s`, `1m`, `14d`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    ms: u64,
}

impl Span {
    /// So many milliseconds.
    #[must_use]
    pub const fn ms(ms: u64) -> Self {
        Self { ms }
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self { ms: seconds * 1000 }
    }

    /// Milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.ms
    }

    /// As the clocks count.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.ms == 0
    }

    fn checked(ms: f64, text: &str) -> Result<Self, String> {
        // Not true of what is no number.
        if !(0.0..=31.0 * 24.0 * 3_600_000.0).contains(&ms) {
            return Err(format!("`{text}' is not between 0 and 31 days"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 31 days"
        )]
        let ms = ms.round() as u64;
        debug_assert!(ms <= LONGEST_MS);
        Ok(Self { ms })
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let no_span = || format!("`{text}' is no length of time such as 500ms, 5s, 1m or 14d");
        let number: f64 = number.parse().map_err(|_no_number| no_span())?;
        let unit = unit.trim();
        let unit = if unit.is_empty() { "s" } else { unit };
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(no_span)?;
        #[expect(clippy::cast_precision_loss, reason = "a unit is far below 2^52")]
        Self::checked(number * *ms as f64, text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, ms) = UNITS
            .iter()
            .find(|(_, ms)| self.ms.is_multiple_of(*ms) && self.ms > 0)
            .unwrap_or(&("s", 1000));
        write!(f, "{}{unit}", self.ms / ms)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

impl PartialSchema for Span {
    fn schema() -> RefOr<Schema> {
        String::schema()
    }
}

impl ToSchema for Span {}

struct SpanVisitor;

impl de::Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as 500ms, 5s or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Span, E> {
        Span::checked(seconds * 1000.0, &seconds.to_string()).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
        seconds.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
        seconds.to_string().parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    impl JsonSchema for super::Span {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Span".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A length of time: `500ms`, `5s`, `1m`, `14d`, or a number of seconds.",
                "anyOf": [
                    { "type": "string", "pattern": "^[0-9.]+ ?(ms|s|m|h|d)?$" },
                    { "type": "number", "minimum": 0 },
                ]
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_and_written() {
        for (text, ms, written) in [
            ("5", 5000, "5s"),
            ("5s", 5000, "5s"),
            ("0.5", 500, "500ms"),
            ("1500ms", 1500, "1500ms"),
            ("2m", 120_000, "2m"),
            ("14d", 1_209_600_000, "14d"),
            ("24 h", 86_400_000, "1d"),
            ("0", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.as_ms(), span.to_string().as_str()), (ms, written), "{text}");
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "s", "5 parsecs", "-1", "1.2.3s", "32d", "99999999999999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
