//! A client that says what it is told to.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use serde_json::Value;

use crate::common::Scratch;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A request's text; `headers` end with `\r\n` each.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    )
}

/// Asks, with these headers.
pub(crate) fn ask_with(
    scratch: &Scratch,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    stream.write_all(request(method, path, headers, body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Answer::read(&answer)
}

/// Asks with a JSON body.
pub(crate) fn ask(scratch: &Scratch, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = ask_with(scratch, method, path, "content-type: application/json\r\n", body);
    (answer.status, answer.body)
}

pub(crate) fn post(scratch: &Scratch, body: &Value) -> (u16, Value) {
    let (status, text) = ask(scratch, "POST", "/v1/changes", &body.to_string());
    (status, serde_json::from_str(&text).unwrap())
}

pub(crate) fn get(scratch: &Scratch, path: &str) -> (u16, Value) {
    let (status, text) = ask(scratch, "GET", path, "");
    (status, serde_json::from_str(&text).unwrap())
}
