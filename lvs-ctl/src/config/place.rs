//! Where in a TOML text something stands.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The way to a value: `service[0].backend[1].weight`. Empty, it is the whole text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Key(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Name(String),
    Index(usize),
}

impl Key {
    /// The value of that name in a table.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.with(Part::Name(name.to_owned()))
    }

    /// The value at that place of an array, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Part::Index(index))
    }

    /// Whether it is the whole text.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn with(&self, part: Part) -> Self {
        Self(self.0.iter().cloned().chain([part]).collect())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, part) in self.0.iter().enumerate() {
            match part {
                Part::Name(name) if depth == 0 => f.write_str(name)?,
                Part::Name(name) => write!(f, ".{name}")?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Where in `text` the value of `key` begins, bytes; of a value that is missing, the table that it
/// is missing in.
pub(super) fn offset_of(text: &str, key: &Key) -> usize {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut table = Some(root.get_ref());
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    let mut offset = 0;
    for part in &key.0 {
        let found = match part {
            Part::Name(name) => table.and_then(|table| table.get(name.as_str())),
            Part::Index(index) => value
                .and_then(|value| value.get_ref().as_array())
                .and_then(|array| array.get(*index)),
        };
        let Some(found) = found else { break };
        offset = found.span().start;
        table = found.get_ref().as_table();
        value = Some(found);
    }
    offset
}

/// The key that stands, with its value, around the byte at `offset`; where the text is no TOML, the
/// word that the line begins with.
pub(super) fn key_at(text: &str, offset: usize) -> Key {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut best = (Key::default(), usize::MAX);
    search(root.get_ref(), &Key::default(), offset, &mut best);
    if best.0.is_root() { first_word(text, offset) } else { best.0 }
}

/// Line and column of the byte at `offset`, both from 1; columns count characters.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn first_word(text: &str, offset: usize) -> Key {
    let begin = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let line = text.get(begin..).unwrap_or_default().trim_start_matches(['[', ' ', '\t']);
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'));
    let word = &line[..end.unwrap_or(line.len())];
    if word.is_empty() { Key::default() } else { Key::default().name(word) }
}

/// Keeps the narrowest of the keys and values that `offset` lies in.
fn search(table: &DeTable<'_>, above: &Key, offset: usize, best: &mut (Key, usize)) {
    for (name, value) in table {
        let key = above.name(name.get_ref());
        consider(&key, name.span(), offset, best);
        visit(value, &key, offset, best);
    }
}

fn visit(value: &Spanned<DeValue<'_>>, key: &Key, offset: usize, best: &mut (Key, usize)) {
    consider(key, value.span(), offset, best);
    match value.get_ref() {
        DeValue::Table(table) => search(table, key, offset, best),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                visit(value, &key.index(index), offset, best);
            }
        }
        _ => (),
    }
}

fn consider(key: &Key, span: Range<usize>, offset: usize, best: &mut (Key, usize)) {
    // A value that is missing is an empty span.
    let inside = span.contains(&offset) || span.start == offset;
    // Of an array and a table that begin together, the table inside is meant.
    if inside && span.len() <= best.1 {
        *best = (key.clone(), span.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "interfaces = [\"eth0\", \"eth1\"]\n\n\
        [[service]]\nlisten = \"tcp:192.0.2.1:80\"\n\n\
        [[service.backend]]\naddress = \"ä\"\n\n\
        [[service.backend]]\nweight = 3\ntunnel = { port = 5 }\n\n[socket]\nmode = 3\n";

    fn key(text: &str) -> Key {
        let parts = text.split(['.', '[']).filter(|part| !part.is_empty());
        parts.fold(Key::default(), |key, part| match part.trim_end_matches(']').parse() {
            Ok(index) => key.index(index),
            Err(_) => key.name(part),
        })
    }

    #[test]
    fn keys_and_places_find_each_other() {
        for (text, at) in [
            ("interfaces[1]", "\"eth1\""),
            ("service[0].listen", "\"tcp:"),
            ("service[0].backend[0].address", "\"ä\""),
            ("service[0].backend[1].weight", "3\n"),
            ("service[0].backend[1].tunnel.port", "5 }"),
            ("socket.mode", "3\n"),
        ] {
            let offset = offset_of(TEXT, &key(text));
            assert!(TEXT[offset..].starts_with(at), "{text}: {}", &TEXT[offset..]);
            assert_eq!(key_at(TEXT, offset).to_string(), text);
        }
        let missing = offset_of(TEXT, &key("service[0].backend[1].address"));
        assert_eq!(position(TEXT, missing), (9, 1));
    }

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\nb = \"ä\" # here";
        assert_eq!(position(text, text.find("here").unwrap()), (2, 11));
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position("", 7), (1, 1));
    }
}
