//! `lvs-ctl save` and `lvs-ctl restore`: all rules as text, nothing lost.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::Args;

use super::{Context, Failure, apply::standing, ipvsadm, service::Json};
use crate::{
    api::{
        client::ClientError,
        types::{Change, ChangeRequest, ListQuery, Listing, Timeouts},
    },
    config,
    model::text,
};

/// How to save.
#[derive(Debug, Args)]
#[command(after_help = "The lines are ipvsadm's, and ipvsadm-restore reads them; unlike those of \
    ipvsadm-save they keep thresholds, timeouts and the order of real servers.\n\nExample:\n  \
    lvs-ctl save > rules")]
pub struct Save {
    /// The rules in JSON
    #[command(flatten)]
    json: Json,
    /// The rules as a configuration file, for `apply` and `lvs-ctl run`
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

/// What to restore.
#[derive(Debug, Args)]
#[command(
    after_help = "Every packet is forwarded by the old rules or by the new ones. Empty lines \
    and lines that begin with `#' are left out.\n\nExample:\n  lvs-ctl restore rules"
)]
pub struct Restore {
    /// The file, or `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    json: Json,
}

impl Save {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        if self.toml {
            let text = config::written(&standing(context)?);
            context.print(&text.map_err(|error| Failure::new(error.to_string()))?);
            return Ok(());
        }
        let listing = context.controller.listing(&ListQuery::default())?;
        if self.json.json {
            return context.json(&listing);
        }
        let timeouts = context.controller.settings()?.timeouts;
        context.print(&lines(&listing, timeouts));
        Ok(())
    }
}

fn lines(listing: &Listing, timeouts: Timeouts) -> String {
    let Timeouts { tcp_s, tcp_fin_s, udp_s } = timeouts;
    let set = format!("--set {tcp_s} {tcp_fin_s} {udp_s}");
    let services = listing.services.iter().flat_map(|entry| {
        text::faithful_lines(&entry.service, entry.dests.iter().rev().map(|entry| &entry.dest))
    });
    [set].into_iter().chain(services).map(|line| line + "\n").collect()
}

impl Restore {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let text = self.read()?;
        let rules = ipvsadm::rules(&text, context.names)
            .map_err(|(line, message)| Failure::new(format!("line {line}: {}", message.trim())))?;
        let (numbers, changes): (Vec<usize>, Vec<Change>) = rules.into_iter().unzip();
        let changes = [Change::Flush].into_iter().chain(changes).collect();
        let request = ChangeRequest { changes, all_or_nothing: true, if_revision: None };
        match context.controller.change(&request) {
            Ok(answer) => context.changed(&answer, self.json.json),
            Err(ClientError::Problem(problem)) => {
                let number = problem.index.and_then(|index| numbers.get(index.checked_sub(1)?));
                let subject =
                    number.map_or_else(|| "restore".into(), |number| format!("line {number}"));
                Err(Failure::about(&subject, ClientError::Problem(problem)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        let read = if self.file.as_os_str() == "-" {
            io::stdin().read_to_end(&mut text).map(|_| text)
        } else {
            fs::read(&self.file)
        };
        read.map_err(|error| Failure::new(format!("{}: {error}", self.file.display())))
    }
}
