//! A page for `lvs-ctl`, and one for each of its verbs.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::page::{DATE, MANUAL, Page, SOURCE, Writer, preamble};

const SECTION: &str = "8";

/// What every page refers to, beside the page of the verb above it.
const SEE_ALSO: &str = "`lvs-ctl`(8), `ipvsadm`(8), `lvs.toml`(5)";

/// Where the controller keeps things.
const FILES: &[(&str, &str)] = &[
    ("/etc/lvs/lvs.toml", "The configuration; see `lvs.toml`(5)."),
    ("/run/lvs/lvs.sock", "Where the controller answers."),
    ("/run/lvs/state", "Rules made by commands, forgotten at reboot."),
    ("/var/lib/lvs", "The same with `state = \"persistent\"`, kept."),
    ("/sys/fs/bpf/lvs", "Program, maps and links: they forward without the controller."),
];

/// Pages that stand elsewhere under a name of their own.
const ELSEWHERE: &[&str] = &["ipvsadm", "ipvsadm-save", "ipvsadm-restore"];

/// All of them.
pub(super) fn pages(command: Command) -> io::Result<Vec<Page>> {
    let mut command = without_help(command);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &mut pages)?;
    Ok(pages)
}

/// `help` is a verb of each verb that has verbs; nobody looks for it in the manual.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn collect(command: &Command, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let file = format!("{name}.{SECTION}");
    if ELSEWHERE.contains(&command.get_name()) {
        let text = format!(".so man{SECTION}/{}.{SECTION}\n", command.get_name());
        pages.push(Page { file, text });
        return Ok(());
    }
    pages.push(Page { file, text: text(command)? });
    let mut verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs.try_for_each(|verb| collect(verb, pages))
}

fn text(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone()).section(SECTION).source(SOURCE).manual(MANUAL).date(DATE);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let own = Writer::part(|writer| {
        if let Some(help) = command.get_after_help() {
            after(&help.to_string(), writer);
        }
        if command.get_name() == "lvs-ctl" {
            writer.section("FILES");
            for (file, what) in FILES {
                writer.term(&format!("`{file}`"), what);
            }
        }
        writer.section("SEE ALSO").paragraph(SEE_ALSO);
    });
    // Each part begins with what the page needs once.
    let (preamble, parts) = (preamble(), String::from_utf8_lossy(&text).into_owned() + &own);
    Ok(format!("{preamble}{}", parts.replace(&preamble, "")))
}

/// What stands below the help: remarks, and examples behind their heading.
fn after(help: &str, writer: &mut Writer) {
    let heading = ["Examples:\n", "Example:\n"];
    let split = heading.iter().find_map(|heading| help.split_once(heading));
    let (remarks, examples) = split.unwrap_or((help, ""));
    if !remarks.trim().is_empty() {
        writer.section("NOTES").paragraph(remarks.trim());
    }
    if !examples.is_empty() {
        let lines: Vec<_> = examples.lines().map(str::trim).collect();
        writer.section("EXAMPLES").lines(&lines.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_options_and_examples() {
        let add = Command::new("add")
            .about("Add one")
            .arg(Arg::new("weight").long("weight").help("Its share"))
            .after_help("They are lines.\n\nExample:\n  lvs-ctl service add x");
        let service = Command::new("service").about("Services").subcommand(add);
        let command = Command::new("lvs-ctl")
            .subcommand(service)
            .subcommand(Command::new("ipvsadm").about("Another"));
        let pages = pages(command).unwrap();
        let files: Vec<_> = pages.iter().map(|page| page.file.as_str()).collect();
        let expected =
            ["lvs-ctl.8", "lvs-ctl-service.8", "lvs-ctl-service-add.8", "lvs-ctl-ipvsadm.8"];
        assert_eq!(files, expected);
        let add = &pages[2].text;
        for text in ["\\-\\-weight", "Its share", "lvs\\-ctl service add x", "SEE ALSO"] {
            assert!(add.contains(text), "{text} is not in {add}");
        }
        assert_eq!(add.matches(preamble().trim()).count(), 1);
        assert!(add.find(".SH NOTES").unwrap() < add.find(".SH EXAMPLES").unwrap());
        assert_eq!(pages[3].text, ".so man8/ipvsadm.8\n");
    }
}
