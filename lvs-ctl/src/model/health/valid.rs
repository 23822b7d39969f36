//! The fields of a check, each judged by itself.

use std::{net::Ipv6Addr, ops::RangeInclusive, path::PathBuf};

use super::{
    CheckSpec, WrongCheck,
    check::{Digest, Dns, Exchange, Http, Tls},
};

/// Records that may be asked for.
const RECORDS: [&str; 11] =
    ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA", "ANY"];

/// The largest regular expression, compiled, bytes.
const REGEX_MAX: usize = 1 << 20;

pub(super) fn port(port: Option<u16>) -> Result<Option<u16>, WrongCheck> {
    match port {
        Some(0) => Err(WrongCheck::new("port", "0 is no port")),
        port => Ok(port),
    }
}

pub(super) fn http(spec: &CheckSpec, tls: Option<Tls>) -> Result<Http, WrongCheck> {
    let is_1_0 = match spec.version.as_deref() {
        None | Some("1.1") => false,
        Some("1.0") => true,
        Some(other) => {
            return Err(WrongCheck::new("version", format!("`{other}' is neither 1.0 nor 1.1")));
        }
    };
    let method = spec.method.as_deref().unwrap_or("GET");
    if !["GET", "HEAD", "OPTIONS"].contains(&method) {
        let message = format!("`{method}' is no method of a check: GET, HEAD, OPTIONS");
        return Err(WrongCheck::new("method", message));
    }
    let body = spec.body.clone();
    let digest = spec.digest.as_deref().map(digest).transpose()?;
    if method == "HEAD" && (body.is_some() || digest.is_some()) {
        return Err(WrongCheck::new("method", "HEAD has no body to look at"));
    }
    regex("body", body.as_deref())?;
    for (name, value) in &spec.headers {
        header("headers", name)?;
        if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            let message = format!("the value of {name} has a control character");
            return Err(WrongCheck::new("headers", message));
        }
    }
    for (name, pattern) in &spec.expect_headers {
        header("expect_headers", name)?;
        regex("expect_headers", Some(pattern))?;
    }
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Ok(Http {
        tls,
        method: method.to_owned(),
        path: path(spec.path.as_deref().unwrap_or("/"))?,
        host: name("host", spec.host.clone())?,
        headers: pairs(&spec.headers),
        is_1_0,
        status: status(spec.status.as_deref().unwrap_or("200-299"))?,
        body,
        digest,
        expect_headers: pairs(&spec.expect_headers),
    })
}

pub(super) fn exchange(spec: &CheckSpec) -> Result<Exchange, WrongCheck> {
    regex("expect", spec.expect.as_deref())?;
    let send = unescaped(spec.send.as_deref().unwrap_or_default())
        .map_err(|message| WrongCheck::new("send", message))?;
    Ok(Exchange { send, expect: spec.expect.clone() })
}

pub(super) fn dns(spec: &CheckSpec) -> Result<Dns, WrongCheck> {
    let name = spec.name.as_deref().unwrap_or(".");
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let is_root = name == ".";
    let fits = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
    };
    if !is_root && (name.len() > 253 || !labels.iter().all(fits)) {
        return Err(WrongCheck::new("name", format!("`{name}' is no domain name")));
    }
    let record = spec.record.as_deref().unwrap_or("SOA").to_ascii_uppercase();
    if !RECORDS.contains(&record.as_str()) {
        let message = format!("`{record}' is no type of record: {}", RECORDS.join(", "));
        return Err(WrongCheck::new("record", message));
    }
    regex("expect", spec.expect.as_deref())?;
    Ok(Dns { name: name.to_owned(), record, expect: spec.expect.clone() })
}

pub(super) fn helo(spec: &CheckSpec) -> Result<String, WrongCheck> {
    let helo = spec.helo.as_deref().unwrap_or("localhost");
    let is_word =
        !helo.is_empty() && helo.len() < 256 && helo.bytes().all(|b| b.is_ascii_graphic());
    if is_word {
        return Ok(helo.to_owned());
    }
    Err(WrongCheck::new("helo", format!("`{helo}' is no name to greet by")))
}

pub(super) fn command(spec: &CheckSpec) -> Result<Vec<String>, WrongCheck> {
    let wrong = |message: String| Err(WrongCheck::new("command", message));
    let Some(program) = spec.command.first() else {
        return wrong("a program is missing".to_owned());
    };
    if !program.starts_with('/') {
        return wrong(format!("`{program}' is no absolute path"));
    }
    if spec.command.iter().any(|word| word.contains('\0')) {
        return wrong("a NUL is in it".to_owned());
    }
    Ok(spec.command.clone())
}

pub(super) fn ca(spec: &CheckSpec) -> Result<Option<PathBuf>, WrongCheck> {
    match &spec.ca {
        Some(path) if !path.is_absolute() => Err(WrongCheck::new("ca", "this is no absolute path")),
        Some(_) if spec.verify != Some(true) => Err(WrongCheck::new("ca", "this needs verify")),
        ca => Ok(ca.clone()),
    }
}

/// A host name, or an address, perhaps with a port.
pub(super) fn name(
    field: &'static str,
    name: Option<String>,
) -> Result<Option<String>, WrongCheck> {
    let is_name = |name: &String| {
        let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:*".contains(&byte);
        let rest = match name.strip_prefix('[').map(|rest| rest.split_once(']')) {
            // Brackets hold an address of IPv6, and nothing but a port comes after them.
            Some(Some((inside, rest))) if inside.parse::<Ipv6Addr>().is_ok() => rest,
            Some(_) => return false,
            None => name,
        };
        !name.is_empty() && name.len() < 256 && rest.bytes().all(is_byte)
    };
    match name {
        Some(name) if !is_name(&name) => {
            Err(WrongCheck::new(field, format!("`{name}' is no host name")))
        }
        name => Ok(name),
    }
}

/// Whether `pattern` is a regular expression.
pub(super) fn regex(field: &'static str, pattern: Option<&str>) -> Result<(), WrongCheck> {
    let Some(pattern) = pattern else { return Ok(()) };
    compile(pattern).map(drop).map_err(|error| {
        // Its messages draw the place over several lines; the last one says what it is.
        let words = error.to_string();
        let last = words.lines().last().unwrap_or_default().trim_start_matches("error: ");
        WrongCheck::new(field, format!("`{pattern}' is no regular expression: {last}"))
    })
}

/// The pattern of a check, compiled.
pub(super) fn compile(pattern: &str) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(pattern).size_limit(REGEX_MAX).build()
}

fn header(field: &'static str, name: &str) -> Result<(), WrongCheck> {
    // RFC 9110 §5.6.2: token.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(WrongCheck::new(field, format!("`{name}' is no name of a header")));
    }
    Ok(())
}

fn path(path: &str) -> Result<String, WrongCheck> {
    let wrong = |why: &str| Err(WrongCheck::new("path", format!("`{path}' {why}")));
    if !path.starts_with('/') {
        return wrong("does not begin with /");
    }
    if path.contains('#') {
        return wrong("has a fragment, which is never sent");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("has a character that is to be written as %HH");
    }
    Ok(path.to_owned())
}

fn status(text: &str) -> Result<Vec<RangeInclusive<u16>>, WrongCheck> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let code = |text: &str| text.trim().parse().ok().filter(|code| (100..=599).contains(code));
        match (code(from), code(to)) {
            (Some(from), Some(to)) if from <= to => Ok(from..=to),
            _ => Err(WrongCheck::new(
                "status",
                format!("`{}' is no status such as 200 or 200-299", part.trim()),
            )),
        }
    };
    text.split(',').map(range).collect()
}

fn digest(text: &str) -> Result<Digest, WrongCheck> {
    let parsed = match text.split_once(':') {
        Some(("md5", hex)) => bytes(hex).map(Digest::Md5),
        Some(("sha256", hex)) => bytes(hex).map(Digest::Sha256),
        _ => None,
    };
    let message = || format!("`{text}' is neither md5: with 32 nor sha256: with 64 digits");
    parsed.ok_or_else(|| WrongCheck::new("digest", message()))
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N || !hex.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The bytes that are meant by text with escapes.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let hex = |digits: &str| u8::from_str_radix(digits, 16).ok();
        let (byte, length) = match escape.as_bytes().first() {
            Some(b'r') => (b'\r', 1),
            Some(b'n') => (b'\n', 1),
            Some(b't') => (b'\t', 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'x') => match escape.get(1..3).and_then(hex) {
                Some(byte) => (byte, 3),
                None => return Err(format!("`\\{escape}' has no two digits after \\x")),
            },
            _ => return Err(format!("`\\{escape}' is no escape: \\r \\n \\t \\\\ \\xHH")),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
#[path = "valid_tests.rs"]
mod tests;
