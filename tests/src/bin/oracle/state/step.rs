//! Steps as they are written down: `c SA`, `c PA +data cport=5001`, `s FA`, `wait 3`, `ipvsadm …`.

use anyhow::{Context as _, Result, bail};
use lvs_tests::rig::packet;

/// The client's port where a step does not name one.
const CPORT: u16 = 5000;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// A packet of the client's or the real server's: its client port, control bits (`None`: a datagram) and data.
    Send { by: By, cport: u16, flags: Option<u8>, data: &'static [u8] },
    /// Seconds.
    Wait(f64),
    /// A command line.
    Command(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Client,
    Server,
}

/// Reads a step.
///
/// # Errors
/// It says something that nobody knows.
pub(super) fn read(step: &str) -> Result<Act> {
    if step.starts_with("ipvsadm") {
        return Ok(Act::Command(step.to_owned()));
    }
    let mut words = step.split_whitespace();
    let by = match words.next().context("an empty step")? {
        "wait" => return Ok(Act::Wait(words.next().context("wait how long?")?.parse()?)),
        "c" => By::Client,
        "s" => By::Server,
        other => bail!("the step begins with `{other}`"),
    };
    let (mut cport, mut flags, mut data): (_, _, &[u8]) = (CPORT, Some(0), b"");
    for word in words {
        if let Some(port) = word.strip_prefix("cport=") {
            cport = port.parse()?;
        } else if word == "+data" {
            data = b"data";
        } else if word == "u" {
            (flags, data) = (None, b"data");
        } else {
            let known = packet::flags(word);
            flags = Some(known.with_context(|| format!("nobody knows `{word}`"))?);
        }
    }
    Ok(Act::Send { by, cport, flags, data })
}

#[cfg(test)]
mod tests {
    use lvs_tests::rig::packet::{ACK, PSH};

    use super::*;

    #[test]
    fn steps_are_read_as_the_recordings_write_them() {
        let sent = |by, cport, flags, data| Act::Send { by, cport, flags, data };
        assert_eq!(read("c PA +data").unwrap(), sent(By::Client, 5000, Some(PSH | ACK), b"data"));
        assert_eq!(read("s u").unwrap(), sent(By::Server, 5000, None, b"data"));
        assert_eq!(read("c u cport=1").unwrap(), sent(By::Client, 1, None, b"data"));
        assert_eq!(read("wait 3").unwrap(), Act::Wait(3.0));
        assert_eq!(read("ipvsadm -C").unwrap(), Act::Command("ipvsadm -C".to_owned()));
        read("x S").unwrap_err();
        read("c Q").unwrap_err();
    }
}
