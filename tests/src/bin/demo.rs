//! Both clusters of the operator's manual, set up, asked and edited before the reader's eyes.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a demonstration is for its reader")]

use std::{
    env,
    io::{IsTerminal as _, stdout},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use lvs_tests::{
    layout::{DR_SERVERS, NAT_SERVERS},
    prelude::*,
};

/// Requests to each cluster, one after the other.
const REQUESTS: usize = 40;

const PICTURE: &str = "
  client 192.168.4.10 ──┬── 192.168.4.5   director   192.168.2.1 ──┬── 192.168.2.100  nat-100
                        │                                          └── 192.168.2.200  nat-200
                        ├── 192.168.4.100  dr-100
                        └── 192.168.4.200  dr-200
";

/// The manual's two clusters.
const CLUSTERS: [(&str, [&str; 3]); 2] = [
    (
        "NAT: the VIP is 192.168.4.5, replies pass the director",
        [
            "ipvsadm -A -t 192.168.4.5:80 -s wrr",
            "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.100 -w 1 -m",
            "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.200 -w 1 -m",
        ],
    ),
    (
        "DR: the VIP is 192.168.4.15, replies go straight to the client",
        [
            "ipvsadm -A -t 192.168.4.15:80 -s wrr",
            "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.100 -w 1 -g",
            "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.200 -w 1 -g",
        ],
    ),
];

/// VIPs and the names of the real servers behind them.
const VIPS: [(&str, [&str; 2]); 2] = [
    ("192.168.4.5", [NAT_SERVERS[0].0, NAT_SERVERS[1].0]),
    ("192.168.4.15", [DR_SERVERS[0].0, DR_SERVERS[1].0]),
];

const EDITS: [&str; 2] = [
    "ipvsadm -e -t 192.168.4.5:80 -r 192.168.2.100 -w 3 -m",
    "ipvsadm -e -t 192.168.4.15:80 -r 192.168.4.100 -w 3 -g",
];

fn main() -> ExitCode {
    match show() {
        Ok(()) => {
            println!("All that was set up is gone again.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<()> {
    let screen = Screen::new();
    screen.title("Six hosts in network namespaces, with the addresses of the operator's manual");
    println!("{PICTURE}");
    let topology = Topology::manual(Offload::Prepared)?;
    let _web = topology.serve(&Services { http: vec![80], ..Services::default() })?;
    let director = Director::start(topology.host("director"), Mode::Native)?;
    let stage = Stage { screen, topology: &topology, director: &director };

    for (title, commands) in CLUSTERS {
        stage.screen.title(title);
        for command in commands {
            stage.director_types(command)?;
        }
        println!();
    }
    director.wait_until_resolved()?;

    stage.screen.title("Real requests: who answers?");
    stage.client_asks([1, 1])?;
    stage.screen.title("What passed the director");
    stage.director_types("ipvsadm -Ln --stats")?;
    println!();
    stage.screen.title("The packets' way");
    stage.director_types("lvs-ctl status | sed -n '/^INTERFACE/,/^$/p'")?;

    stage.screen.title("Three to one");
    for command in EDITS {
        stage.director_types(command)?;
    }
    stage.client_asks([3, 1])
}

/// Where it plays.
struct Stage<'t> {
    screen: Screen,
    topology: &'t Topology,
    director: &'t Director,
}

impl Stage<'_> {
    fn director_types(&self, line: &str) -> Result<()> {
        self.screen.prompt("director#", line);
        print!("{}", self.director.shell(line)?.ok()?);
        Ok(())
    }

    /// Runs curl against each VIP, and holds the answers against the weights.
    fn client_asks(&self, weights: [usize; 2]) -> Result<()> {
        let client = self.topology.host("client").netns();
        for (vip, servers) in VIPS {
            let line = format!(
                "for i in $(seq {REQUESTS}); do curl -sS -m 5 http://{vip}/; done | sort | uniq -c"
            );
            self.screen.prompt("client$", &line);
            let answers = client.exec(&["sh", "-c", &line])?;
            println!("{answers}");
            for (server, weight) in servers.into_iter().zip(weights) {
                let expected = REQUESTS * weight / weights.iter().sum::<usize>();
                let got = count_of(server, &answers).context("it did not answer")?;
                ensure!(got == expected, "{server} answered {got} requests, not {expected}");
            }
        }
        Ok(())
    }
}

/// Its number in the output of `uniq -c`.
fn count_of(server: &str, answers: &str) -> Option<usize> {
    let line = answers.lines().find(|line| line.ends_with(server))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Colours on a terminal, none elsewhere.
struct Screen {
    coloured: bool,
}

impl Screen {
    fn new() -> Self {
        Self { coloured: stdout().is_terminal() && env::var_os("NO_COLOR").is_none() }
    }

    fn title(&self, text: &str) {
        println!("{}", self.painted("1;36", text));
    }

    fn prompt(&self, prompt: &str, line: &str) {
        println!("{} {line}", self.painted("32", prompt));
    }

    /// `text` under an SGR code (ECMA-48).
    fn painted(&self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::count_of;

    #[test]
    fn the_number_before_a_name_is_read() {
        assert_eq!(count_of("dr-200", "     30 dr-100\n     10 dr-200\n"), Some(10));
        assert_eq!(count_of("dr-200", "     40 dr-100\n"), None);
    }
}
