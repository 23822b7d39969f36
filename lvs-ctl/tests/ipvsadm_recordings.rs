//! Every recording of the real ipvsadm, replayed: words → request → controller over its socket →
//! director over a data plane in memory → text and exit code.
//!
//! `LVS_RECORDINGS=DIR` replays another directory of recordings.

mod common;

use std::{collections::BTreeMap, fs, path::PathBuf};

use common::{FixedNames, Scratch};
use lvs_ctl::{
    api::client::Client,
    cli::ipvsadm::{self, Program, Streams},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    argv: Vec<String>,
    #[serde(default)]
    stdin: String,
    stdout: String,
    stderr: String,
    exit: i32,
}

#[derive(PartialEq)]
struct Outcome {
    stdout: String,
    stderr: String,
    exit: i32,
}

fn recordings() -> BTreeMap<String, Vec<Case>> {
    let oracle = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/oracle");
    let directories = match std::env::var_os("LVS_RECORDINGS") {
        Some(directory) => vec![PathBuf::from(directory)],
        None => vec![oracle.join("cli"), oracle.join("probes")],
    };
    let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let group = path.file_stem().unwrap().to_string_lossy().into_owned();
            let cases = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (group, cases)
        })
        .collect()
}

fn run(client: &mut Client, names: &FixedNames, argv: &[String], stdin: &str) -> Outcome {
    let program = Program::named(&argv[0]).unwrap();
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let streams = Streams { input: &mut stdin.as_bytes(), output: &mut output, error: &mut error };
    let exit = ipvsadm::run(program, &argv[1..], streams, names, Ok(client));
    Outcome {
        stdout: String::from_utf8(output).unwrap(),
        stderr: String::from_utf8(error).unwrap(),
        exit: exit.into(),
    }
}

/// Each case begins with an empty table, IPVS's timeouts and no daemons, as when recorded.
fn reset(client: &mut Client, names: &FixedNames) {
    for line in ["-C", "--set 900 120 300", "--stop-daemon master", "--stop-daemon backup"] {
        let words: Vec<String> =
            ["ipvsadm"].into_iter().chain(line.split(' ')).map(str::to_owned).collect();
        run(client, names, &words, "");
    }
}

/// The order of services under `--nosort` is the kernel's hash; the servers of each stay in place.
fn without_service_order(step: &Step, text: &str) -> String {
    if !step.argv.iter().any(|word| word == "--nosort") {
        return text.to_owned();
    }
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  -> ") => {
                block.push('\n');
                block.push_str(line);
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    blocks.sort();
    blocks.join("\n")
}

fn difference(case: &str, step: &Step, seen: &Outcome) -> String {
    let mut lines = vec![String::new(), format!("## {case}"), format!("$ {}", step.argv.join(" "))];
    if !step.stdin.is_empty() {
        lines.push(format!("stdin: {:?}", step.stdin));
    }
    if step.exit != seen.exit {
        lines.push(format!("exit: expected {}, got {}", step.exit, seen.exit));
    }
    for (name, expected, got) in
        [("stdout", &step.stdout, &seen.stdout), ("stderr", &step.stderr, &seen.stderr)]
    {
        if expected != got {
            lines.push(format!("{name}:"));
            lines.extend(side_by_side(expected, got));
        }
    }
    lines.join("\n") + "\n"
}

/// Lines that are the same, `-` expected, `+` got; `|` shows where a line ends.
fn side_by_side(expected: &str, got: &str) -> Vec<String> {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), got.lines().collect());
    let pairs = (0..expected.len().max(got.len())).map(|at| (expected.get(at), got.get(at)));
    pairs
        .flat_map(|(expected, got)| {
            if expected == got {
                return vec![format!("    {}", expected.unwrap_or(&""))];
            }
            let minus = expected.map(|line| format!("  - {line}|"));
            let plus = got.map(|line| format!("  + {line}|"));
            minus.into_iter().chain(plus).collect()
        })
        .collect()
}

#[test]
fn every_recording_is_matched_to_the_byte() {
    let scratch = Scratch::start();
    let mut client = scratch.client();
    let names = FixedNames::recorded();
    let (mut steps, mut differences) = (0, Vec::new());
    for (group, cases) in recordings() {
        for case in cases {
            reset(&mut client, &names);
            for step in &case.steps {
                steps += 1;
                let seen = run(&mut client, &names, &step.argv, &step.stdin);
                let stdout_matches = without_service_order(step, &seen.stdout)
                    == without_service_order(step, &step.stdout);
                if !stdout_matches || seen.stderr != step.stderr || seen.exit != step.exit {
                    differences.push(difference(&format!("{group}: {}", case.name), step, &seen));
                }
            }
        }
    }
    assert!(steps > 10, "only {steps} recorded steps found");
    assert!(
        differences.is_empty(),
        "{} of {steps} steps differ:\n{}",
        differences.len(),
        differences.concat()
    );
}
