//! A mail server greets (keepalived's `SMTP_CHECK`, but greetings of several lines are none the worse).

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{Probe, Trip, Trouble, socket};
use crate::model::health::{Failure, Good, Stage};

/// The longest reply that is read, bytes.
const LONGEST: u64 = 16 * 1024;

/// Says HELO and QUIT.
#[derive(Debug)]
pub(super) struct Smtp {
    helo: String,
}

impl Smtp {
    pub(super) fn new(helo: &str) -> Self {
        Self { helo: format!("HELO {helo}\r\n") }
    }

    async fn talk(&self, trip: &Trip) -> Result<Good, Trouble> {
        let mut stream = BufReader::with_capacity(1024, socket::connect(&trip.target).await?);
        trip.progress.at(Stage::Answer);
        reply(&mut stream, 220).await?;
        say(&mut stream, &self.helo).await?;
        reply(&mut stream, 250).await?;
        say(&mut stream, "QUIT\r\n").await?;
        // What it says to that is its own affair.
        reply(&mut stream, 221).await.ok();
        Ok(Good::default())
    }
}

impl Probe for Smtp {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.talk(trip))
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Result<(), Trouble> {
    let said = stream.write_all(line.as_bytes()).await;
    said.map_err(|error| Trouble::of(&error, Stage::Answer))
}

/// Reads a reply, all its lines (RFC 5321 §4.2.1).
async fn reply(stream: &mut BufReader<TcpStream>, wanted: u16) -> Result<(), Trouble> {
    let mut stream = stream.take(LONGEST);
    loop {
        let mut line = Vec::new();
        let read = stream.read_until(b'\n', &mut line).await;
        read.map_err(|error| Trouble::of(&error, Stage::Answer))?;
        if !line.ends_with(b"\n") {
            let is_cut = stream.limit() == 0;
            let failure = if is_cut { Failure::TooLong } else { Failure::Closed(Stage::Answer) };
            return Err(failure.into());
        }
        let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok());
        match (code.and_then(|code| code.parse::<u16>().ok()), line.get(3)) {
            (Some(code), Some(b'-')) if code == wanted => (),
            (Some(code), Some(b' ' | b'\r' | b'\n')) if code == wanted => return Ok(()),
            (Some(code @ 200..=599), _) => return Err(Failure::Status(code).into()),
            _ => {
                let text = String::from_utf8_lossy(&line[..line.len().min(40)]);
                return Err(Failure::Protocol(text.trim_end().to_owned()).into());
            }
        }
    }
}
