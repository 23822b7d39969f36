//! Command lines: what was typed, what was printed and how it ended, by the real programs.

mod controller;

use anyhow::Result;
use lvs_tests::rig::Place;
use serde::Deserialize;

use self::controller::{Controller, Said};

/// A case as it lies in the file.
#[derive(Deserialize)]
pub(crate) struct Recorded {
    steps: Vec<Step>,
}

/// A command.
#[derive(Deserialize)]
struct Step {
    argv: Vec<String>,
    #[serde(default)]
    stdin: String,
    stdout: String,
    stderr: String,
    exit: i32,
}

/// The controller, started when the first case wants it.
#[derive(Default)]
pub(crate) struct Lazy(Option<Controller>);

impl Lazy {
    fn get(&mut self, place: &Place) -> Result<&mut Controller> {
        if self.0.is_none() {
            self.0 = Some(Controller::start(place)?);
        }
        self.0.as_mut().ok_or_else(|| anyhow::anyhow!("no controller"))
    }
}

/// Plays a case; what differs.
///
/// # Errors
/// A program cannot be run.
pub(crate) fn play(place: &Place, lazy: &mut Lazy, case: &Recorded) -> Result<Vec<String>> {
    let controller = lazy.get(place)?;
    let words = || case.steps.iter().flat_map(|step| &step.argv);
    let with_settings = words().any(|word| word == "--set" || word.ends_with("-daemon"))
        || case.steps.iter().any(|step| !step.stdin.is_empty());
    controller.clear(with_settings)?;
    let mut differences = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let said = controller.run(&step.argv, &step.stdin)?;
        if !step.agrees_with(&said) {
            differences.push(format!("step {number}: {}", step.beside(&said)));
        }
    }
    if with_settings {
        controller.clear(true)?;
    }
    Ok(differences)
}

impl Step {
    fn agrees_with(&self, said: &Said) -> bool {
        let output = self.in_order(&said.output) == self.in_order(&self.stdout);
        output && said.error == self.stderr && said.exit == self.exit
    }

    /// The order of services under `--nosort` is that of a hash; the servers of each stay in place.
    fn in_order(&self, text: &str) -> Vec<String> {
        let lines = text.lines().map(str::to_owned);
        if !self.argv.iter().any(|word| word == "--nosort") {
            return vec![text.to_owned()];
        }
        let mut blocks: Vec<String> = Vec::new();
        for line in lines {
            match blocks.last_mut() {
                Some(block) if line.starts_with("  -> ") => *block = format!("{block}\n{line}"),
                _ => blocks.push(line),
            }
        }
        blocks.sort();
        blocks
    }

    fn beside(&self, said: &Said) -> String {
        let Self { stdout, stderr, exit, .. } = self;
        let Said { output, error, exit: got } = said;
        format!(
            "$ {}\n expected exit {exit}\n{stdout}{stderr} got exit {got}\n{output}{error}",
            self.argv.join(" ")
        )
    }
}
