//! A page, and the words on it.

use roff::{Inline, Roff, bold, roman};

/// What the foot of every page names.
pub(super) const SOURCE: &str = concat!("lvs-ctl ", env!("CARGO_PKG_VERSION"));
/// What its head names.
pub(super) const MANUAL: &str = "Linux Virtual Server";

/// None: it would be another page with every build. Nothing at all would not count as a word.
pub(super) const DATE: &str = " ";

/// A page of the manual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its file: the name, a dot, the section.
    pub file: String,
    /// Its text, for man(1).
    pub text: String,
}

/// A page that is being written.
pub(super) struct Writer {
    file: String,
    roff: Roff,
}

impl Writer {
    /// Begins the page `name(section)`, which is about `about`.
    pub(super) fn new(name: &str, section: &str, about: &str) -> Self {
        let mut roff = Roff::new();
        roff.control("TH", [name, section, DATE, SOURCE, MANUAL]);
        roff.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
        Self { file: format!("{name}.{section}"), roff }
    }

    /// Begins a section.
    pub(super) fn section(&mut self, title: &str) -> &mut Self {
        self.roff.control("SH", [title]);
        self
    }

    /// A paragraph; what stands between backquotes is typed as it is.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.roff.control("PP", []).text(words(text));
        self
    }

    /// A term and what it means.
    pub(super) fn term(&mut self, term: &str, meaning: &str) -> &mut Self {
        self.roff.control("TP", []).text(words(term)).text(words(meaning));
        self
    }

    /// Lines as they are.
    pub(super) fn lines(&mut self, text: &str) -> &mut Self {
        self.roff.control("PP", []).control("nf", []).control("RS", ["4"]);
        for line in text.lines() {
            match line.trim() {
                "" => self.roff.control("sp", []),
                _ => self.roff.text([roman(line)]),
            };
        }
        self.roff.control("RE", []).control("fi", []);
        self
    }

    /// The whole page.
    pub(super) fn page(&self) -> Page {
        Page { file: self.file.clone(), text: self.roff.render() }
    }

    /// The text so far, for a page that others begin.
    pub(super) fn part(of: impl FnOnce(&mut Self)) -> String {
        let mut writer = Self { file: String::new(), roff: Roff::new() };
        of(&mut writer);
        writer.roff.render()
    }
}

/// What renders nothing: every text of the renderer begins with it.
pub(super) fn preamble() -> String {
    Roff::new().render()
}

/// Every second piece between backquotes is typed.
fn words(text: &str) -> Vec<Inline> {
    let pieces = text.split('`').enumerate().filter(|(_, piece)| !piece.is_empty());
    let inline = |(index, piece): (usize, &str)| {
        // A line break is a blank: the page has its own.
        let piece = piece.replace('\n', " ");
        if index % 2 == 0 { roman(piece) } else { bold(piece) }
    };
    pieces.map(inline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_bold_and_nothing_is_taken_for_a_command() {
        let mut writer = Writer::new("a", "8", "of a");
        let page = writer.section("B").paragraph(".c `--d`\ne").lines("f\n\n.g").page();
        assert_eq!(page.file, "a.8");
        assert!(page.text.contains(" 8 \" \" \"lvs"), "{}", page.text);
        let body = page.text.split_once(".SH B\n").unwrap().1;
        assert_eq!(
            body,
            ".PP\n\\&.c \\fB\\-\\-d\\fR e\n.PP\n.nf\n.RS 4\nf\n.sp\n\\&.g\n.RE\n.fi\n"
        );
    }
}
