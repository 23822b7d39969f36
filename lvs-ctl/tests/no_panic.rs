//! Whatever is typed or fed, a program answers with one of its exit codes and a word to say.

mod common;

use clap::Parser;
use common::{FixedNames, Scratch};
use lvs_ctl::{
    api::client::Client,
    cli::{
        Context, Verb,
        ipvsadm::{self, Program, Streams},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

const WORDS: &[&str] = &[
    "-A",
    "-E",
    "-D",
    "-C",
    "-L",
    "-Z",
    "-a",
    "-e",
    "-d",
    "-R",
    "-S",
    "-Ln",
    "-Lnc",
    "--set",
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
    "-n",
    "-c",
    "-b",
    "-o",
    "--pe",
    "--stats",
    "--start-daemon",
    "--stop-daemon",
    "master",
    "lo",
    "--mcast-interface",
    "--mcast-group",
    "--tun-type",
    "gue",
    "--tun-port",
    "--sched-flags=sh-port",
    "sh",
    "wrr",
    "192.0.2.1:80",
    "[2001:db8::1]:80",
    "::1",
    "[",
    "]:",
    "[]",
    ":",
    "-",
    "--",
    "=",
    "-=",
    "--=",
    "-s=",
    "0",
    "1",
    "-1",
    "4294967296",
    "99999999999999999999",
    "sip",
    "ö",
    "-ö",
    "-Lö",
    "1.2.3.4:ö",
    "\u{0}",
    "#",
    "1.2.3.",
    "0x",
    "service",
    "backend",
    "add",
    "edit",
    "list",
    "restore",
    "save",
    "tcp:192.0.2.1:80",
    "fwmark:7",
    "tcp:",
    "tcp:[",
    "--weight",
    "--persistent",
    "off",
    "--json",
    "connections",
    "reload",
    "--toml",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

/// The exit code, and whether anything was said.
fn ipvsadm(client: &mut Client, names: &FixedNames, words: &[String], input: &[u8]) -> (u8, bool) {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let streams = Streams { input: &mut &*input, output: &mut output, error: &mut error };
    let exit = ipvsadm::run(Program::Ipvsadm, words, streams, names, Ok(client));
    (exit, !error.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn ipvsadm_always_answers(
        lines in vec((vec(word(), 0..8), vec(any::<u8>(), 0..64)), 200),
        restores in vec(vec(vec(word(), 0..8), 0..5), 50),
    ) {
        let scratch = Scratch::start();
        let (mut client, names) = (scratch.client(), FixedNames::recorded());
        for (words, input) in lines {
            let (exit, complaint) = ipvsadm(&mut client, &names, &words, &input);
            prop_assert!(matches!(exit, 0 | 1 | 2 | 255), "{words:?}: {exit}");
            prop_assert!(exit == 0 || complaint, "{words:?}");
        }
        for lines in restores {
            let input = lines.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join("\n");
            let (exit, complaint) = ipvsadm(&mut client, &names, &["-R".into()], input.as_bytes());
            prop_assert!(exit == 0 || complaint, "{input:?}");
        }
    }

    #[test]
    fn lvs_ctl_always_answers(lines in vec(vec(word(), 0..8), 200)) {
        let scratch = Scratch::start();
        let (mut client, names) = (scratch.client(), FixedNames::recorded());
        for mut words in lines {
            // These wait: for connections to end, or for standard input.
            words.retain(|word| word != "drain" && word != "restore");
            words.insert(0, "lvs-ctl".into());
            let Ok(line) = Line::try_parse_from(&words) else { continue };
            let (mut output, mut error) = (Vec::new(), Vec::new());
            let mut context = Context {
                controller: &mut client,
                names: &names,
                output: &mut output,
                error: &mut error,
            };
            if let Err(failure) = line.verb.run(&mut context) {
                prop_assert!(!failure.to_string().contains('\n'), "{words:?}: {failure}");
            }
        }
    }
}
