//! `lvs-ctl`'s own verbs.

use anyhow::{Result, ensure};
use clap::Parser;
use lvs_ctl::cli::{Context, Verb};

use super::{Target, lines};
use crate::controller::{Controller, Ports};

const EXAMPLES: &str = "\
service add tcp:192.0.2.1:80 --scheduler wrr
service add fwmark:7 --scheduler sh --persistent 300
service edit tcp:192.0.2.1:80 --scheduler wlc
service list --json
service delete tcp:192.0.2.1:80
backend add tcp:192.0.2.1:80 192.0.2.11:8080 --weight 3 --method nat
backend edit tcp:192.0.2.1:80 192.0.2.11:8080 --weight 0
backend delete tcp:192.0.2.1:80 192.0.2.11:8080
connections --json
timeouts --tcp 900
tunables set conn_reuse_mode=0 expire_nodest_conn=1
tunables list
mark add --protocol tcp --destination 192.0.2.0/24 --ports 80,443,8000-8100 1
mark delete --protocol tcp --destination 192.0.2.0/24 --ports 80,443,8000-8100 1
mark list
sync start master --interface lo
save --toml
status --json";

const WORDS: &[&str] = &[
    "service",
    "backend",
    "connections",
    "timeouts",
    "tunables",
    "mark",
    "sync",
    "save",
    "status",
    "add",
    "edit",
    "delete",
    "list",
    "set",
    "start",
    "stop",
    "zero",
    "clear",
    "flush",
    "reload",
    "tcp:192.0.2.1:80",
    "udp:192.0.2.1:53",
    "sctp:[2001:db8::1]:9",
    "tcp:",
    "tcp:[",
    "fwmark:7",
    "fwmark6:7",
    "fwmark:0",
    "192.0.2.11:8080",
    "[2001:db8::2]:80",
    "192.0.2.11",
    "127.0.0.1",
    "--scheduler",
    "--persistent",
    "--netmask",
    "--weight",
    "--method",
    "nat",
    "direct-route",
    "tun",
    "gue:5555",
    "--upper-threshold",
    "--lower-threshold",
    "--engine",
    "sip",
    "--one-packet",
    "--scheduler-flags",
    "sh-port",
    "off",
    "--json",
    "--stats",
    "--rates",
    "--tcp",
    "--tcp-fin",
    "--udp",
    "--protocol",
    "--destination",
    "--ports",
    "192.0.2.0/24",
    "2001:db8::/32",
    "0.0.0.0/0",
    "80,443",
    "8000-8100",
    "9-1",
    "conn_reuse_mode=0",
    "conn_reuse_mode=",
    "=1",
    "master",
    "backup",
    "--interface",
    "lo",
    "rr",
    "wrr",
    "sh",
    "mh",
    "lblc",
    "0",
    "-1",
    "65536",
    "4294967295",
    "4294967296",
    "99999999999999999999",
    "-",
    "--",
    "=",
    "",
    "\u{f6}",
    "\0",
];

pub(super) struct LvsCtl {
    controller: Controller,
}

/// A line, as the program reads it.
#[derive(Parser)]
pub(super) struct Line {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

impl LvsCtl {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { controller: Controller::start()? })
    }
}

impl Target for LvsCtl {
    fn examples(&self) -> Vec<Vec<u8>> {
        lines(EXAMPLES)
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let text = String::from_utf8_lossy(input);
        // These wait, for connections to end or for nothing, or read files that are the user's.
        let reads = ["drain", "restore", "apply", "--watch"];
        let words = text.split([' ', '\n']).filter(|word| !reads.contains(word));
        let line = match Line::try_parse_from(["lvs-ctl"].into_iter().chain(words)) {
            Ok(line) => line,
            Err(error) => return Ok(error.kind().to_string()),
        };
        let before = self.controller.before()?;
        let (mut output, mut error) = (Vec::new(), Vec::new());
        let mut context = Context {
            controller: &mut self.controller.client,
            names: &Ports,
            output: &mut output,
            error: &mut error,
        };
        let result = line.verb.run(&mut context);
        let after = self.controller.after()?;
        let Err(failure) = result else { return Ok(format!("done {}", after == before)) };
        let said = failure.to_string();
        ensure!(!said.is_empty() && !said.contains('\n'), "{said:?} is no line");
        ensure!(after == before, "refused ({said}), but\n{before:?}\nis now\n{after:?}");
        Ok(said)
    }
}
