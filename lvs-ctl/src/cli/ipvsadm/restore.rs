//! The input of a restore, taken apart into lines of words.

/// The lines that have words: blanks separate, the word `ipvsadm` counts for nothing, and there
/// is no quoting. With `comments`, lines that begin with `#` are left out.
pub(super) fn lines(input: &[u8], comments: bool) -> impl Iterator<Item = Vec<String>> {
    numbered_lines(input, comments).map(|(_, words)| words)
}

/// The same with each line's number, from 1.
pub(super) fn numbered_lines(
    input: &[u8],
    comments: bool,
) -> impl Iterator<Item = (usize, Vec<String>)> {
    let words = |line: &[u8]| {
        let words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        words.filter_map(word).collect::<Vec<_>>()
    };
    (1..)
        .zip(input.split(|&byte| byte == b'\n'))
        .filter(move |(_, line)| !(comments && line.starts_with(b"#")))
        .map(move |(number, line)| (number, words(line)))
        .filter(|(_, words)| !words.is_empty())
}

fn word(bytes: &[u8]) -> Option<String> {
    // A C string ends at its first NUL.
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let word = String::from_utf8_lossy(&bytes[..end]);
    (!bytes.is_empty() && word != "ipvsadm").then(|| word.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], comments: bool, expected: &[&[&str]]) {
        assert_eq!(lines(input, comments).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn blanks_separate_and_empty_lines_do_not_count() {
        check(
            b"\n -A\t-f  1\r\n\r\nipvsadm\nipvsadm -L ipvsadm\n",
            false,
            &[&["-A", "-f", "1"], &["-L"]],
        );
        check(b"-A\x0b-f", false, &[&["-A\x0b-f"]]);
        check(b"-s rr\0x -p", false, &[&["-s", "rr", "-p"]]);
    }

    #[test]
    fn comments_begin_at_the_first_column() {
        check(b"#x\n #y\n", true, &[&["#y"]]);
        check(b"#x\n", false, &[&["#x"]]);
    }
}
