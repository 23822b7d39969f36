//! Rust source without its comments and the contents of its literals.

/// The code alone: comments, strings and characters are blanked out, every line stays where it is.
pub(crate) fn only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        if let Some(length) = blank_length(rest, after_word) {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The numbers of the lines, from 1, on which this stands as a word of its own.
pub(crate) fn lines_with_word(code: &str, word: &str) -> impl Iterator<Item = usize> {
    let has = move |line: &str| words_at(line, word).next().is_some();
    code.lines().zip(1..).filter(move |(line, _)| has(line)).map(|(_, number)| number)
}

/// Where, in bytes, this stands in the code, not as a part of a longer word.
pub(crate) fn words_at(code: &str, word: &str) -> impl Iterator<Item = usize> {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let begun_before = code[..at].ends_with(is_word);
        let goes_on = word.ends_with(is_word) && code[at + word.len()..].starts_with(is_word);
        !begun_before && !goes_on
    })
}

/// The line, from 1, that this byte is on.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Whether this may be part of a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How many bytes of a comment or a literal stand here, if one does.
fn blank_length(rest: &str, after_word: bool) -> Option<usize> {
    let to_end_of_line = || rest.find('\n').unwrap_or(rest.len());
    if rest.starts_with("//") {
        Some(to_end_of_line())
    } else if rest.starts_with("/*") {
        Some(block_comment(rest))
    } else if rest.starts_with('"') {
        Some(string(rest))
    } else if rest.starts_with('r') && !after_word {
        raw_string(rest)
    } else if rest.starts_with("br") && !after_word {
        raw_string(&rest[1..]).map(|length| length + 1)
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        None
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    for (at, _) in rest.char_indices() {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if at >= 2 && rest[..at].ends_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    let open = 1 + hashes + 1;
    rest[1 + hashes..].starts_with('"').then(|| {
        let close = format!("\"{}", "#".repeat(hashes));
        rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len())
    })
}

/// A character, not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest[1..].char_indices();
    let (_, first) = inside.next()?;
    if first == '\\' {
        inside.next();
        return inside.find(|&(_, c)| c == '\'').map(|(at, _)| at + 2);
    }
    inside.next().filter(|&(_, c)| c == '\'').map(|(at, _)| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let source = "a // b\n/* c\n/* d */ */ e \"f \\\" // g\" 'h' '\\'' &'static i r#\"j\"k\"# l";
        let code = only(source);
        assert_eq!(code.lines().count(), source.lines().count());
        let left: Vec<_> = code.split_whitespace().collect();
        assert_eq!(left, ["a", "e", "&'static", "i", "l"]);
    }

    #[test]
    fn a_name_that_ends_in_r_begins_no_raw_string() {
        assert_eq!(only("for\"x\" y"), "for    y");
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        let code = "forbid(unsafe_code)\nunsafe {\nnot_unsafe";
        assert_eq!(lines_with_word(code, "unsafe").collect::<Vec<_>>(), [2]);
    }
}
