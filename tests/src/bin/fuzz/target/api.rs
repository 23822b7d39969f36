//! The API: methods, paths, headers and bodies.
//!
//! An input is a request without what its length is: a line of method and path, lines of headers, an empty line, the body.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::Target;
use crate::controller::Controller;

/// An answer that takes longer is waited for no more.
const PATIENCE: Duration = Duration::from_millis(200);

const JSON: &str = "content-type: application/json\n\n";

const BODIES: [&str; 9] = [
    r#"{"changes":[{"add-service":{"id":{"address":{"protocol":"tcp","address":"192.0.2.1","port":80}},"scheduler":"wrr"}}]}"#,
    r#"{"changes":[{"add-service":{"id":{"mark":{"mark":7,"family":"ipv4"}},"scheduler":"sh","scheduler_flags":{"flag_1":true}}}]}"#,
    r#"{"changes":["flush"],"all_or_nothing":true}"#,
    r#"{"changes":[{"set-timeouts":{"tcp_s":900,"tcp_fin_s":0,"udp_s":7}}],"if_revision":1}"#,
    r#"{"changes":[{"set-tunable":{"name":"conn_reuse_mode","value":0}}]}"#,
    r#"{"changes":[{"zero":null},{"stop-daemon":"master"}]}"#,
    r#"{"changes":[{"start-daemon":{"role":"master","interface":"lo","sync_id":1}}]}"#,
    r#"{"changes":[{"add-dest":{"service":{"address":{"protocol":"tcp","address":"192.0.2.1","port":80}},"dest":{"addr":{"address":"192.0.2.11","port":8080},"method":"nat","weight":1}}}]}"#,
    r#"{"changes":[{"delete-service":{"address":{"protocol":"tcp","address":"192.0.2.1","port":80}}}]}"#,
];

const GETS: [&str; 10] = [
    "GET /v1/services",
    "GET /v1/services?protocol=tcp&address=192.0.2.1&port=80&stats=true",
    "GET /v1/services?mark=7&family=ipv4",
    "GET /v1/settings",
    "GET /v1/tunables",
    "GET /v1/marks",
    "GET /v1/connections",
    "GET /v1/status",
    "GET /metrics",
    "GET /v1/openapi.json",
];

const WORDS: &[&str] = &[
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "/v1/changes",
    "/v1/services",
    "/v1/watch",
    "/v1/reload",
    "/v1/connections",
    "/metrics",
    "/",
    "?",
    "&",
    "=",
    "%00",
    "%",
    "..",
    "protocol=tcp",
    "port=80",
    "mark=7",
    "stats=true",
    "content-type: application/json",
    "if-match: \"1\"",
    "if-match: *",
    "accept: text/plain",
    "transfer-encoding: chunked",
    "expect: 100-continue",
    "content-encoding: gzip",
    "\n",
    "\n\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "65536",
    "4294967296",
    "\"changes\"",
    "\"add-service\"",
    "\"edit-service\"",
    "\"delete-service\"",
    "\"add-dest\"",
    "\"edit-dest\"",
    "\"delete-dest\"",
    "\"flush\"",
    "\"zero\"",
    "\"declare\"",
    "\"set-tunable\"",
    "\"add-mark\"",
    "\"delete-mark\"",
    "\"declare-mark\"",
    "\"all_or_nothing\":true",
    "\"if_revision\":1",
    "\"id\"",
    "\"address\"",
    "\"mark\"",
    "\"family\"",
    "\"ipv6\"",
    "\"tcp\"",
    "\"udp\"",
    "\"wrr\"",
    "\"mh\"",
    "\"192.0.2.1\"",
    "\"2001:db8::1\"",
    "\"persistence\":{\"timeout_s\":1,\"netmask\":32}",
    "\"one_packet\":true",
    "\"weight\"",
    "\"upper_threshold\"",
    "\\ud800",
    "\u{f6}",
    "\0",
];

pub(super) struct Api {
    controller: Controller,
}

impl Api {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { controller: Controller::start()? })
    }

    /// The status that the request is answered with; none if it is not.
    fn ask(&self, input: &[u8]) -> Result<Option<u16>> {
        let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
            Some(end) => (&input[..end], &input[end + 2..]),
            None => (input, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let mut request = lines.next().unwrap_or_default().to_vec();
        request.extend_from_slice(b" HTTP/1.1\r\nhost: director\r\nconnection: close\r\n");
        for line in lines {
            request.extend_from_slice(line);
            request.extend_from_slice(b"\r\n");
        }
        write!(request, "content-length: {}\r\n\r\n", body.len())?;
        request.extend_from_slice(body);
        let mut stream = UnixStream::connect(self.controller.socket()).context("connecting")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // Whoever is refused may be hung up on while he speaks.
        stream.write_all(&request).ok();
        let mut answer = [0; 12];
        let (mut length, mut hung_up) = (0, false);
        while length < answer.len() {
            match stream.read(&mut answer[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                // Half a request: it waits for the rest.
                Err(error) if error.kind() == ErrorKind::WouldBlock && !hung_up => {
                    hung_up = true;
                    stream.shutdown(Shutdown::Write)?;
                    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                }
                Err(error) => return Err(error).context("no answer, and no end of it"),
            }
        }
        let status = answer[..length].strip_prefix(b"HTTP/1.1 ");
        Ok(status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()))
    }
}

impl Target for Api {
    fn examples(&self) -> Vec<Vec<u8>> {
        let posts = BODIES.map(|body| format!("POST /v1/changes\n{JSON}{body}").into_bytes());
        GETS.map(|get| get.as_bytes().to_vec()).into_iter().chain(posts).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let before = self.controller.before()?;
        let status = self.ask(input)?;
        let after = self.controller.after()?;
        // Without an answer nobody knows: whoever hung up may have been heard.
        let refused = status.is_some_and(|status| status >= 400);
        ensure!(status.is_none_or(|status| status < 500), "the answer is {status:?}");
        ensure!(!refused || after == before, "{status:?}, but\n{before:?}\nis now\n{after:?}");
        // Numbers are no effects.
        let status = status.map_or_else(String::new, |status| {
            status.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
        });
        let verb: String = String::from_utf8_lossy(input).chars().take(20).collect();
        Ok(format!("{status} {} {verb}", after == before))
    }
}
