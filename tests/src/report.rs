//! What a topology looks like, for the reader of a failure.
#![forbid(unsafe_code)]

use std::{fmt::Write as _, fs};

use crate::{lab::Lab, netns::Netns};

/// What is asked of each namespace.
const QUESTIONS: [&str; 4] =
    ["ip -brief address", "ip route", "ip neighbour", "ip -statistics link"];

/// Commands, state of each namespace, and the ends of the logs.
pub(crate) fn of<'t>(lab: &Lab, namespaces: impl Iterator<Item = &'t Netns>) -> String {
    let mut text = format!("──── lab {} ────\n", lab.number());
    let commands = lab.commands();
    for netns in namespaces {
        write_state(&mut text, netns);
    }
    text.push_str("── commands\n");
    for command in commands {
        line(&mut text, &command);
    }
    write_logs(&mut text, lab);
    text
}

fn write_state(text: &mut String, netns: &Netns) {
    line(text, &format!("── {}", netns.name()));
    for question in QUESTIONS {
        let argv: Vec<_> = question.split(' ').collect();
        let answer = netns.exec(&argv).unwrap_or_else(|error| format!("{error:#}\n"));
        line(text, &format!("$ {question}"));
        text.push_str(&answer);
    }
}

fn write_logs(text: &mut String, lab: &Lab) {
    let Ok(entries) = fs::read_dir(lab.directory()) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "log")
            && let Ok(log) = fs::read(&path)
            && !log.is_empty()
        {
            line(text, &format!("── {}", path.display()));
            line(text, &String::from_utf8_lossy(&log));
        }
    }
}

fn line(text: &mut String, content: &str) {
    writeln!(text, "{content}").expect("a string takes all text");
}
