//! A check in one word: `http:/healthz`, `tcp:8080`, `dns:example.com/A`, `exec:/usr/lib/check`.

use std::str::FromStr;

use super::{CheckSpec, CheckType, WrongCheck};

impl FromStr for CheckSpec {
    type Err = WrongCheck;

    /// Reads the word; what it makes is judged too.
    fn from_str(text: &str) -> Result<Self, WrongCheck> {
        let (word, rest) =
            text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        let word = if word == "ping" { "icmp" } else { word };
        let kind = CheckType::named(word).ok_or_else(|| unknown(word))?;
        let mut spec = Self::of(kind);
        if let Some(rest) = rest {
            spec.take(rest)?;
        }
        spec.read()?;
        Ok(spec)
    }
}

impl CheckSpec {
    /// The word that says this check, if one does.
    #[must_use]
    pub fn shorthand(&self) -> Option<String> {
        let Self { kind, path, host, port, name, record, command, .. } = self;
        let word = kind.name();
        let port_part = port.map(|port| format!(":{port}")).unwrap_or_default();
        let text = match kind {
            CheckType::Http | CheckType::Https => {
                let path = path.as_deref().unwrap_or("/");
                match host {
                    Some(host) => format!("{word}://{}{port_part}{path}", bare(host, *port)),
                    None if port.is_some() => return None,
                    None => format!("{word}:{path}"),
                }
            }
            CheckType::Dns => {
                let record = record.as_ref().map(|record| format!("/{record}")).unwrap_or_default();
                let name = name.as_deref().unwrap_or(if record.is_empty() { "" } else { "." });
                let colon = if name.is_empty() { "" } else { ":" };
                format!("{word}{colon}{name}{record}")
            }
            CheckType::Exec => format!("{word}:{}", command.first()?),
            _ => format!("{word}{port_part}"),
        };
        (text.parse().as_ref() == Ok(self)).then_some(text)
    }

    /// What it is called: its word, whenever and from wherever it is made; else its type.
    #[must_use]
    pub fn label(&self) -> String {
        let Self { kind, address, port, path, host, name, record, command, .. } = self.clone();
        let plain =
            Self { kind, address, port, path, host, name, record, command, ..Self::default() };
        plain.shorthand().unwrap_or_else(|| self.kind.name().to_owned())
    }

    fn take(&mut self, rest: &str) -> Result<(), WrongCheck> {
        match self.kind {
            CheckType::Http | CheckType::Https => self.take_url(rest)?,
            CheckType::Dns => {
                let (name, record) =
                    rest.split_once('/').map_or((rest, None), |(name, of)| (name, Some(of)));
                self.name = Some(name.to_owned());
                self.record = record.map(str::to_owned);
            }
            CheckType::Exec => self.command = vec![rest.to_owned()],
            CheckType::Icmp => {
                return Err(WrongCheck::new("type", format!("icmp has no `:{rest}'")));
            }
            _ => self.port = Some(port(rest)?),
        }
        Ok(())
    }

    /// `/path`, or `//host/path`, or `//host:port/path`.
    fn take_url(&mut self, rest: &str) -> Result<(), WrongCheck> {
        let Some(authority) = rest.strip_prefix("//") else {
            self.path = Some(rest.to_owned());
            return Ok(());
        };
        let end = authority.find(['/', '?']).unwrap_or(authority.len());
        let (authority, path) = authority.split_at(end);
        if authority.contains('@') {
            return Err(WrongCheck::new("host", "a URL of a check has no user"));
        }
        if authority.is_empty() {
            return Err(WrongCheck::new("host", format!("`{rest}' has no host")));
        }
        // A colon inside brackets is an address's.
        let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
        if let Some(at) = colon {
            self.port = Some(port(&authority[at + 1..])?);
        }
        self.host = Some(authority.to_owned());
        if !path.is_empty() {
            let slash = if path.starts_with('/') { "" } else { "/" };
            self.path = Some(format!("{slash}{path}"));
        }
        Ok(())
    }
}

fn bare(host: &str, port: Option<u16>) -> &str {
    let suffix = port.map(|port| format!(":{port}"));
    suffix.and_then(|suffix| host.strip_suffix(suffix.as_str())).unwrap_or(host)
}

fn port(text: &str) -> Result<u16, WrongCheck> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(WrongCheck::new("port", format!("`{text}' is no port"))),
    }
}

fn unknown(word: &str) -> WrongCheck {
    let known: Vec<_> = CheckType::ALL.iter().map(|(_, name)| *name).collect();
    WrongCheck::new("type", format!("`{word}' is no type of check: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_a_check_and_a_check_its_word() {
        for text in [
            "tcp",
            "tcp:8080",
            "http:/healthz",
            "http://www.example.com/healthz?deep=1",
            "https://www.example.com:8443/",
            "https://[2001:db8::1]:8443/a",
            "udp",
            "dns:www.example.com",
            "dns:www.example.com/AAAA",
            "icmp",
            "smtp",
            "redis:6380",
            "exec:/usr/lib/lvs/check",
        ] {
            let spec: CheckSpec = text.parse().unwrap();
            assert_eq!(spec.shorthand().as_deref(), Some(text), "{spec:?}");
        }
        let spec = CheckSpec { rise: Some(2), ..CheckSpec::of(CheckType::Tcp) };
        assert_eq!(spec.shorthand(), None, "no word says all of it");
        assert_eq!(spec.label(), "tcp");
        let spec = CheckSpec { fall: Some(1), ..text_of("http:/healthz") };
        assert_eq!(spec.label(), "http:/healthz");
    }

    fn text_of(text: &str) -> CheckSpec {
        text.parse().unwrap()
    }

    #[test]
    fn parts_land_where_they_belong() {
        let spec: CheckSpec = "https://www.example.com:8443?a".parse().unwrap();
        assert_eq!(spec.host.as_deref(), Some("www.example.com:8443"));
        assert_eq!((spec.port, spec.path.as_deref()), (Some(8443), Some("/?a")));
        assert_eq!("ping".parse::<CheckSpec>().unwrap().kind, CheckType::Icmp);
    }

    #[test]
    fn other_words_are_refused_with_their_field() {
        for (text, words) in [
            ("", "type: `' is no type of check: tcp, http,"),
            ("gopher:/", "type: `gopher' is no type of check"),
            ("tcp:", "port: `' is no port"),
            ("tcp:0", "port: `0' is no port"),
            ("tcp:99999", "port: `99999' is no port"),
            ("http:healthz", "path: `healthz' does not begin with /"),
            ("http:", "path: `' does not begin with /"),
            ("http:///", "host: `///' has no host"),
            ("http://a:b/", "port: `b' is no port"),
            ("http://u@a/", "host: a URL of a check has no user"),
            ("http://a b/", "host: `a b' is no host name"),
            ("http://[::1/", "host: `[::1' is no host name"),
            ("http://[a]/", "host: `[a]' is no host name"),
            ("icmp:1", "type: icmp has no `:1'"),
            ("dns:a..b", "name: `a..b' is no domain name"),
            ("exec:check", "command: `check' is no absolute path"),
            ("exchange", "expect: nothing is sent and nothing expected"),
        ] {
            let refused = text.parse::<CheckSpec>().expect_err(text).to_string();
            assert!(refused.starts_with(words), "{text}: {refused}");
        }
    }
}
