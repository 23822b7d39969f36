//! ipvsadm's command line.

use anyhow::{Result, ensure};
use lvs_ctl::cli::ipvsadm::Program;

use super::{Target, lines};
use crate::controller::Controller;

const EXAMPLES: &str = "\
-A -t 192.0.2.1:80 -s wrr
-A -u 192.0.2.1:53 -o -s sh -b sh-port,sh-fallback
-A -f 7 -6 -s mh
-A -t [2001:db8::1]:80 -p 300 -M 64
-E -t 192.0.2.1:80 -s wlc -p 5 -M 255.255.255.0
-D -t 192.0.2.1:80
-a -t 192.0.2.1:80 -r 192.0.2.11:8080 -m -w 3 -x 9 -y 2
-a -t 192.0.2.1:80 -r 192.0.2.12 -i --tun-type gue --tun-port 5555 --tun-csum
-e -t 192.0.2.1:80 -r 192.0.2.11:8080 -m -w 0
-d -t 192.0.2.1:80 -r 192.0.2.11:8080
-C
-Z -t 192.0.2.1:80
-L -n --stats --exact
-Lnc --persistent-conn
-Ln --rate --sort -t 192.0.2.1:80
-L --timeout
-L --daemon
--set 900 120 300
--start-daemon master --mcast-interface lo --syncid 3 --sync-maxlen 1400
--stop-daemon backup
-S -n
-h";

/// Words that the program knows, and near ones.
pub(super) const WORDS: &[&str] = &[
    "-A",
    "-E",
    "-D",
    "-C",
    "-L",
    "-Z",
    "-a",
    "-e",
    "-d",
    "-S",
    "-l",
    "-n",
    "-c",
    "-h",
    "-v",
    "-t",
    "-u",
    "-f",
    "-6",
    "-s",
    "-p",
    "-M",
    "-r",
    "-m",
    "-i",
    "-g",
    "-w",
    "-x",
    "-y",
    "-b",
    "-o",
    "-O",
    "--pe",
    "sip",
    "--add-service",
    "--edit-server",
    "--sctp-service",
    "--tcp-service=192.0.2.1:80",
    "--weight=3",
    "--set",
    "--stats",
    "--rate",
    "--exact",
    "--thresholds",
    "--timeout",
    "--daemon",
    "--sort",
    "--nosort",
    "--tun-type",
    "gue",
    "gre",
    "ipip",
    "--tun-port",
    "--tun-nocsum",
    "--tun-csum",
    "--tun-remcsum",
    "--start-daemon",
    "--stop-daemon",
    "master",
    "backup",
    "lo",
    "--mcast-interface",
    "--mcast-group",
    "--mcast-port",
    "--mcast-ttl",
    "--syncid",
    "rr",
    "wrr",
    "lc",
    "wlc",
    "lblc",
    "lblcr",
    "dh",
    "sh",
    "sed",
    "nq",
    "fo",
    "ovf",
    "mh",
    "twos",
    "--ops",
    "192.0.2.1:80",
    "192.0.2.1",
    "192.0.2.11:8080",
    "[2001:db8::1]:80",
    "[2001:db8::1]",
    "::1",
    "255.255.255.255",
    "0.0.0.0:0",
    "127.0.0.1",
    "127.255.255.255",
    ":http",
    "localhost:http",
    "0",
    "1",
    "-1",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "0x10",
    "010",
    " 7",
    "99999999999999999999",
    "[",
    "]",
    "[]",
    ":",
    "-",
    "--",
    "=",
    "--=",
    "",
    "\u{f6}",
    "sh-port",
    "sh-fallback",
    "mh-port",
    "flag-1,flag-2",
    "ipvsadm",
    "#",
    "\0",
];

pub(super) struct Ipvsadm {
    controller: Controller,
}

impl Ipvsadm {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { controller: Controller::start()? })
    }
}

impl Target for Ipvsadm {
    fn examples(&self) -> Vec<Vec<u8>> {
        lines(EXAMPLES)
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let text = String::from_utf8_lossy(input);
        let words: Vec<String> = text.split([' ', '\n']).map(str::to_owned).collect();
        let before = self.controller.before()?;
        let (exit, said) = self.controller.ipvsadm(Program::Ipvsadm, &words, b"");
        ensure!(matches!(exit, 0 | 1 | 2 | 255), "exit code {exit}");
        ensure!(exit == 0 || !said.is_empty(), "exit code {exit} without a word");
        let after = self.controller.after()?;
        ensure!(
            exit == 0 || after == before,
            "refused ({said}), but\n{before:?}\nis now\n{after:?}"
        );
        let verb = words.iter().find(|word| word.starts_with('-')).cloned().unwrap_or_default();
        Ok(format!("{exit} {} {verb} {said}", after == before))
    }
}
