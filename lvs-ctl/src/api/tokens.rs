//! The tokens that open the API over TLS.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use subtle::ConstantTimeEq as _;

/// A shorter token is too easily guessed, bytes.
const SHORTEST: usize = 20;

/// The tokens of a file.
///
/// One a line: a name, which the audit lines show, `change` or `read`, and the token itself. What
/// follows a `#` is for people.
#[derive(Clone)]
pub struct Tokens(Arc<[Token]>);

/// One token.
pub struct Token {
    /// Its name.
    pub name: Arc<str>,
    /// Whether its holder may change rules.
    pub may_change: bool,
    secret: Vec<u8>,
}

/// A token file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everybody can.
    #[error("{} can be read by everybody: chmod o= it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a token.
    #[error("{}, line {line}: {wrong}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        wrong: &'static str,
    },
    /// There is none in it.
    #[error("{} holds no token", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Tokens {
    /// Reads the tokens of a file.
    ///
    /// # Errors
    /// It cannot be read, anybody can read it, or it does not say what it should.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let file = |source| TokenError::File { path: path.into(), source };
        let mut opened = fs::File::open(path).map_err(file)?;
        if opened.metadata().map_err(file)?.mode() & 0o007 != 0 {
            return Err(TokenError::Open { path: path.into() });
        }
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(file)?;
        let tokens = Self::parse(&text).map_err(|(line, wrong)| TokenError::Line {
            path: path.into(),
            line,
            wrong,
        })?;
        if tokens.0.is_empty() {
            return Err(TokenError::Empty { path: path.into() });
        }
        Ok(tokens)
    }

    /// The token that `presented` is. All are compared, each in a time that does not tell how much of
    /// it is right.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<&Token> {
        self.0.iter().fold(None, |found, token| {
            let same = bool::from(token.secret.ct_eq(presented));
            if same { Some(token) } else { found }
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let lines = text.lines().zip(1..);
        let lines =
            lines.map(|(line, number)| (line.split('#').next().unwrap_or_default(), number));
        let lines = lines.filter(|(line, _)| !line.trim().is_empty());
        let tokens = lines.map(|(line, number)| token(line).map_err(|wrong| (number, wrong)));
        let tokens: Vec<Token> = tokens.collect::<Result<_, _>>()?;
        Ok(Self(tokens.into()))
    }
}

fn token(line: &str) -> Result<Token, &'static str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, right, secret] = words.as_slice() else {
        return Err("expected a name, `change' or `read', and a token");
    };
    let may_change = match *right {
        "change" => true,
        "read" => false,
        _ => return Err("the second word is `change' or `read'"),
    };
    if secret.len() < SHORTEST {
        return Err("the token is shorter than 20 bytes");
    }
    Ok(Token { name: (*name).into(), may_change, secret: secret.as_bytes().to_vec() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const FILE: &str = "# who may\n\ndeploy change 0123456789abcdefghij # CI\nwatch read \
                        jihgfedcba9876543210\n";

    #[test]
    fn a_token_is_found_by_its_whole_text_only() {
        let tokens = Tokens::parse(FILE).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let found =
            |text: &str| tokens.find(text.as_bytes()).map(|token| (&*token.name, token.may_change));
        assert_eq!(found("0123456789abcdefghij"), Some(("deploy", true)));
        assert_eq!(found("jihgfedcba9876543210"), Some(("watch", false)));
        for wrong in ["", "0123456789abcdefghi", "0123456789abcdefghijk", "deploy"] {
            assert_eq!(found(wrong), None);
        }
    }

    #[test]
    fn a_line_that_is_no_token_is_named() {
        for (text, line) in [
            ("a change short", 1),
            ("\na write 0123456789abcdefghij", 2),
            ("0123456789abcdefghij", 1),
        ] {
            assert_eq!(Tokens::parse(text).err().unwrap().0, line);
        }
    }

    #[test]
    fn a_file_that_everybody_reads_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, FILE).unwrap();
        let read = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Tokens::read(&path)
        };
        assert!(matches!(read(0o644), Err(TokenError::Open { .. })));
        assert!(read(0o640).is_ok());
        fs::write(&path, "# none\n").unwrap();
        assert!(matches!(read(0o600), Err(TokenError::Empty { .. })));
    }
}
