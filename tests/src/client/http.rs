//! One HTTP/1.1 request over a connection of its own.
#![forbid(unsafe_code)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result, ensure};

use crate::content;

/// An answer that was received to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    head: Head,
    body: Vec<u8>,
}

impl Answer {
    /// As `200`.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// A header's value; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.head.header(name)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The name the body is.
    ///
    /// # Errors
    ///
    /// When the status is not 200 or header and body do not name the same server.
    pub fn name(self) -> Result<String> {
        ensure!(self.status() == 200, "status {}", self.status());
        let name = String::from_utf8(self.body.clone())?.trim_end().to_owned();
        ensure!(name == self.header("x-server"), "{name} answers for {}", self.header("x-server"));
        Ok(name)
    }
}

/// Status and headers of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn content_length(&self) -> Result<u64> {
        self.header("content-length").parse().context("an answer without Content-Length")
    }
}

pub(super) fn get(mut stream: TcpStream, path: &str) -> Result<Answer> {
    ask(&mut stream, "GET", path, 0)?;
    read_answer(BufReader::new(stream))
}

pub(super) fn post(mut stream: TcpStream, bytes: u64) -> Result<Answer> {
    ask(&mut stream, "POST", "/", bytes)?;
    let mut sent = 0;
    while sent < bytes {
        let piece = content::at(sent, bytes - sent);
        stream.write_all(piece).with_context(|| format!("after {sent} of {bytes} bytes sent"))?;
        sent += piece.len() as u64;
    }
    let answer = read_answer(BufReader::new(stream))?;
    let expected = format!("{bytes} {}\n", content::checksum(bytes));
    let got = String::from_utf8_lossy(answer.body());
    ensure!(got == expected, "the server got {got:?} instead of {expected:?}");
    Ok(answer)
}

/// Sends the head of a request. The server closes first, so that the client's port is free at once.
pub(super) fn ask(stream: &mut TcpStream, method: &str, path: &str, length: u64) -> Result<()> {
    let host = stream.peer_addr()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).context("sending the request")
}

pub(super) fn read_head(from: &mut BufReader<TcpStream>) -> Result<Head> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = from.read_until(b'\n', &mut head).context("waiting for the answer")?;
        ensure!(read > 0, "closed after {} bytes of the answer's head", head.len());
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&head)?;
    let owned = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned())
    };
    Ok(Head {
        status: parsed.code.context("an answer without status")?,
        headers: parsed.headers.iter().map(owned).collect(),
    })
}

fn read_answer(mut from: BufReader<TcpStream>) -> Result<Answer> {
    let head = read_head(&mut from)?;
    let length = head.content_length()?;
    let mut body = Vec::new();
    from.read_to_end(&mut body).context("reading the answer's body")?;
    ensure!(body.len() as u64 == length, "{} of {length} bytes", body.len());
    Ok(Answer { head, body })
}
