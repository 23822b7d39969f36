//! `cargo xtask setup`: finds or installs what the project needs of the machine.
//!
//! [`machine`] looks, [`plan`] decides (pure), this file does what was decided and says so.
//! [`packages`] and [`llvm`] know what is needed.

use std::process::Command;

use anyhow::{Result, anyhow, bail};

use crate::{verb::Verb, workspace};

mod llvm;
mod machine;
mod packages;
mod plan;

use machine::Machine;
use plan::{Fix, Step};

/// How much a verb needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A Rust toolchain, which is there: it built this program.
    Nothing,
    /// To build the packet program.
    Build,
    /// To load it into the kernel.
    Load,
    /// To send packets through it: network namespaces, clients, captures.
    Traffic,
    /// To do so with another kernel: an emulator.
    Guest,
    /// To make a Debian package.
    Package,
    /// To try it in a container.
    Container,
}

impl Needs {
    /// Whether who needs this needs `other` as well.
    pub(crate) fn include(self, other: Self) -> bool {
        const LEVELS: [Needs; 5] =
            [Needs::Nothing, Needs::Build, Needs::Load, Needs::Traffic, Needs::Guest];
        let level = |needs| LEVELS.iter().position(|level| *level == needs);
        match self {
            Self::Package => matches!(other, Self::Nothing | Self::Build | Self::Package),
            Self::Container => other == self || Self::Package.include(other),
            _ => level(other).is_some_and(|other| Some(other) <= level(self)),
        }
    }
}

/// Find or install what building, loading, demo and tests need
///
/// Quick and silent about what is there. Where it may not install (no root and no sudo, no
/// network, not Debian) it names the command to run by hand. Every other verb begins with this.
#[derive(clap::Args)]
pub(crate) struct Setup {}

impl Verb for Setup {
    const NEEDS: Needs = Needs::Nothing;

    fn run(self) -> Result<()> {
        ensure(Needs::Traffic)?;
        print!("{}", Machine::look()?);
        println!("setup: nothing is missing");
        Ok(())
    }
}

/// Finds or installs what this level needs; silent when nothing is missing.
pub(crate) fn ensure(needs: Needs) -> Result<()> {
    if needs == Needs::Nothing {
        return Ok(());
    }
    for fix in plan::plan(&Machine::look()?, needs) {
        apply(&fix)?;
    }
    let left = plan::plan(&Machine::look()?, needs);
    if let Some(fix) = left.first() {
        bail!("set up, and still missing: {}\n{}", fix.missing, by_hand(fix));
    }
    Ok(())
}

fn apply(fix: &Fix) -> Result<()> {
    println!("setup: missing: {}", fix.missing);
    if let Some(obstacle) = &fix.obstacle {
        bail!("{obstacle}\n{}", by_hand(fix));
    }
    for step in &fix.steps {
        if step.through_sudo {
            println!("setup: this step needs root, and asks sudo:");
        }
        workspace::run(&mut command(step))
            .map_err(|error| anyhow!("{error:#}\n{}", by_hand(fix)))?;
    }
    Ok(())
}

fn command(step: &Step) -> Command {
    let mut words = step.words();
    let mut command = Command::new(words.next().expect("a step has a program"));
    command.args(words);
    command
}

fn by_hand(fix: &Fix) -> String {
    let mut text = String::from("to set it up by hand:");
    for step in &fix.steps {
        text.push_str("\n    ");
        text.push_str(&workspace::show(&command(step)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_includes_those_before_it_and_a_package_needs_no_traffic() {
        assert!(Needs::Traffic.include(Needs::Build) && Needs::Load.include(Needs::Load));
        assert!(!Needs::Build.include(Needs::Load) && !Needs::Traffic.include(Needs::Package));
        assert!(Needs::Container.include(Needs::Package) && Needs::Package.include(Needs::Build));
        assert!(!Needs::Package.include(Needs::Container) && !Needs::Container.include(Needs::Traffic));
    }
}
