//! An HTTP/1.1 server (RFC 9112): persistent connections, `HEAD`, `Expect: 100-continue`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the server's name and a line feed |
//! | `GET /bytes/N` | N bytes of [`crate::content`], their CRC-32 in `X-Checksum` |
//! | `POST` or `PUT` anything | length and CRC-32 of the body |
//!
//! Every answer names the server (`X-Server`), the client's address as the server sees it
//! (`X-Client`) and the address it was asked at (`X-Local`).
#![forbid(unsafe_code)]

use std::{
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use crc32fast::Hasher;

use crate::content;

/// Longest request head that is read.
const HEAD_MAX: u64 = 16 * 1024;

/// Serves for ever, a thread a connection.
pub fn serve(listener: &TcpListener, name: &str) {
    for stream in listener.incoming().flatten() {
        let name = name.to_owned();
        thread::spawn(move || {
            if let Err(error) = converse(&stream, &name) {
                eprintln!("http: {error}");
            }
        });
    }
}

/// What the server needs of a request's head.
struct Request {
    method: String,
    path: String,
    body_length: u64,
    expects_continue: bool,
    closes: bool,
}

/// What it answers.
struct Answer {
    status: &'static str,
    headers: String,
    body: Body,
}

enum Body {
    Text(String),
    Content(u64),
}

impl Body {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Content(length) => *length,
        }
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text(text) => to.write_all(text.as_bytes()),
            Self::Content(length) => {
                let mut sent = 0;
                while sent < *length {
                    let piece = content::at(sent, length - sent);
                    to.write_all(piece)?;
                    sent += piece.len() as u64;
                }
                Ok(())
            }
        }
    }
}

fn converse(stream: &TcpStream, name: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (client, local) = (canonical(stream.peer_addr()?), canonical(stream.local_addr()?));
    let who = format!("X-Server: {name}\r\nX-Client: {client}\r\nX-Local: {local}\r\n");
    let mut from = BufReader::new(stream);
    let mut to = BufWriter::new(stream);
    while let Some(head) = read_head(&mut from)? {
        let request = parse(&head)?;
        if request.expects_continue {
            to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            to.flush()?;
        }
        let checksum = digest(&mut from, request.body_length)?;
        let answer = answer(name, &request, &checksum);
        let connection = if request.closes { "close" } else { "keep-alive" };
        write!(
            to,
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{who}{}\r\n",
            answer.status,
            answer.body.length(),
            answer.headers
        )?;
        if request.method != "HEAD" {
            answer.body.write(&mut to)?;
        }
        to.flush()?;
        if request.closes {
            break;
        }
    }
    Ok(())
}

/// The head with its empty line; `None` when the client has closed.
fn read_head(from: &mut BufReader<&TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut limited = from.take(HEAD_MAX);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head)? == 0 {
            let whole = head.is_empty();
            return if whole { Ok(None) } else { Err(invalid("a request cut off or too long")) };
        }
    }
    Ok(Some(head))
}

fn parse(head: &[u8]) -> io::Result<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).map_err(|error| invalid(&error.to_string()))?;
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).unwrap_or("").trim()
    };
    if !header("transfer-encoding").is_empty() {
        return Err(invalid("bodies are read by Content-Length only"));
    }
    let body_length = match header("content-length") {
        "" => 0,
        length => length.parse().map_err(|error| invalid(&format!("Content-Length: {error}")))?,
    };
    Ok(Request {
        method: parsed.method.unwrap_or("").into(),
        path: parsed.path.unwrap_or("").into(),
        body_length,
        expects_continue: header("expect").eq_ignore_ascii_case("100-continue"),
        closes: header("connection").eq_ignore_ascii_case("close"),
    })
}

/// Reads the body and returns its CRC-32.
fn digest(from: &mut BufReader<&TcpStream>, length: u64) -> io::Result<String> {
    let mut hasher = Hasher::new();
    let mut left = length;
    while left > 0 {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            return Err(invalid("a body cut off"));
        }
        let taken = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        hasher.update(&piece[..taken]);
        from.consume(taken);
        left -= taken as u64;
    }
    Ok(content::shown(hasher))
}

fn answer(name: &str, request: &Request, checksum: &str) -> Answer {
    let plain =
        |status, text: String| Answer { status, headers: String::new(), body: Body::Text(text) };
    match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/") => plain("200 OK", format!("{name}\n")),
        ("GET" | "HEAD", path) => {
            match path.strip_prefix("/bytes/").and_then(|length| length.parse().ok()) {
                Some(length) => Answer {
                    status: "200 OK",
                    headers: format!("X-Checksum: {}\r\n", content::checksum(length)),
                    body: Body::Content(length),
                },
                None => plain("404 Not Found", format!("{name}: no {path}\n")),
            }
        }
        ("POST" | "PUT", _) => plain("200 OK", format!("{} {checksum}\n", request.body_length)),
        (method, _) => plain("405 Method Not Allowed", format!("{name}: no {method}\n")),
    }
}

/// An IPv4 address as such, not mapped into IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_understood_whatever_the_case_of_its_headers() {
        let head = b"POST /x HTTP/1.1\r\nHOST: a\r\ncontent-LENGTH: 12\r\nexpect: 100-Continue\r\nConnection: Close\r\n\r\n";
        let request = parse(head).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/x"));
        assert_eq!(request.body_length, 12);
        assert!(request.expects_continue && request.closes);
    }

    #[test]
    fn a_chunked_body_is_refused() {
        let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(parse(head).is_err());
    }

    #[test]
    fn an_unknown_path_is_not_found() {
        let request = parse(b"GET /bytes/x HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(answer("a", &request, "").status, "404 Not Found");
    }
}
