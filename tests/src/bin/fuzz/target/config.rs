//! The configuration file: refused at a place in it, or applied whole, or not at all.

use anyhow::{Result, ensure};
use lvs_ctl::{
    api::{client::Controller as _, types::ChangeRequest},
    config::{Config, difference},
};

use super::Target;
use crate::controller::Controller;

/// What the package installs, and everything that it shows as a comment.
const SHIPPED: &str = include_str!("../../../../../lvs-ctl/dist/lvs.toml");

const SMALL: &str = "\
[[service]]
listen = \"tcp:192.0.2.1:80\"
scheduler = \"wrr\"
[[service.backend]]
address = \"192.0.2.11\"
";

const WORDS: &[&str] = &[
    "interfaces",
    "mode",
    "connections",
    "state",
    "state_dir",
    "[socket]",
    "[timeouts]",
    "[tunables]",
    "[[service]]",
    "[[service.backend]]",
    "[[mark]]",
    "listen",
    "address",
    "scheduler",
    "persistent",
    "netmask",
    "weight",
    "method",
    "tunnel",
    "checksum",
    "engine",
    "one_packet",
    "\"tcp:192.0.2.1:80\"",
    "\"udp:[2001:db8::1]:53\"",
    "\"192.0.2.11:8080\"",
    "\"fwmark:7\"",
    "\"wrr\"",
    "\"mh\"",
    "\"masq\"",
    "\"auto\"",
    "\"persistent\"",
    "true",
    "false",
    "0",
    "-1",
    "1e9",
    "65536",
    "4294967296",
    "\"",
    "\"\"\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\n",
    "\r",
    "\\u0000",
    "\u{f6}",
    "inf",
    "nan",
    "1979-05-27",
    "destination",
    "ports",
    "protocol",
    "mark",
];

pub(super) struct Configuration {
    controller: Controller,
}

impl Configuration {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { controller: Controller::start()? })
    }

    fn apply(&mut self, config: &Config) -> Result<Result<usize, String>> {
        let standing = self.controller.standing()?;
        let difference = difference(&config.rules, &standing);
        let request = ChangeRequest {
            changes: difference.changes(),
            all_or_nothing: true,
            if_revision: Some(standing.listing.revision),
        };
        let answer = self.controller.client.change(&request);
        Ok(answer.map(|_| difference.steps.len()).map_err(|error| error.to_string()))
    }
}

impl Target for Configuration {
    fn examples(&self) -> Vec<Vec<u8>> {
        let all = SHIPPED.replace("\n#", "\n").replace("\n ", "\n# ");
        [SHIPPED, &all, SMALL].map(|text| text.as_bytes().to_vec()).to_vec()
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let text = String::from_utf8_lossy(input).into_owned();
        let config = match Config::parse("lvs.toml", text.clone()) {
            Ok(config) => config,
            Err(mistake) => {
                let line = text.split('\n').nth(mistake.line - 1).unwrap_or_default();
                let is_there = mistake.column <= line.chars().count() + 1;
                let said = mistake.to_string();
                ensure!(is_there && !said.contains('\n'), "{said:?} names no place");
                return Ok(said);
            }
        };
        let before = self.controller.before()?;
        let applied = self.apply(&config)?;
        let after = self.controller.after()?;
        match applied {
            Ok(steps) => {
                let again = self.apply(&config)?;
                ensure!(again == Ok(0), "applied again it takes {again:?} steps");
                Ok(format!("applied {}", steps > 0))
            }
            Err(said) => {
                ensure!(after == before, "refused ({said}), but\n{before:?}\nis now\n{after:?}");
                Ok(said)
            }
        }
    }
}
