//! `lvs-ctl apply` and `lvs-ctl reload`: the rules that a configuration file declares.

use std::{
    io::{self, Read},
    path::PathBuf,
};

use clap::Args;

use super::{Context, Failure, Outcome, service::Json};
use crate::{
    api::{
        client::ClientError,
        types::{Applied, ChangeRequest, ListQuery, Problem},
    },
    config::{Config, DEFAULT_FILE, Difference, Standing, difference},
};

/// Which file to apply.
#[derive(Debug, Args)]
#[command(
    after_help = "The file owns the services that it declares: those that it declared before \
    and does not declare now are deleted, those made by commands are left alone. It is `lvs-ctl \
    reload' from another file; what is not about rules is not looked at. The changes are made \
    together or not at all, and not if somebody else changed the table meanwhile.\n\n\
    Exit codes: 0 done, or nothing to do; 1 refused; with --plan also 2, there are differences.\n\n\
    Examples:\n  \
    lvs-ctl apply --plan lvs.toml\n  \
    lvs-ctl save --toml | lvs-ctl apply -"
)]
pub struct Apply {
    /// The file, or `-` for standard input
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
    /// Show the difference, and how many connections each step touches; change nothing
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    json: Json,
}

/// How to answer.
#[derive(Debug, Args)]
#[command(after_help = "As SIGHUP does. What cannot change while the controller runs, such as \
    interfaces, is said on standard error.")]
pub struct Reload {
    #[command(flatten)]
    json: Json,
}

impl Apply {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Outcome, Failure> {
        let config = self.read()?;
        let standing = standing(context)?;
        let difference = difference(&config.rules, &standing);
        if !self.json.json {
            show(context, &difference.steps);
        }
        let mut revision = standing.listing.revision;
        if !self.plan && !difference.is_empty() {
            let request = ChangeRequest {
                changes: difference.changes(),
                all_or_nothing: true,
                if_revision: Some(revision),
            };
            let answer = context.controller.change(&request);
            revision = answer.map_err(|error| refusal(&config, &difference, error))?.revision;
        }
        let outcome =
            if self.plan && !difference.is_empty() { Outcome::Differs } else { Outcome::Done };
        if self.json.json {
            let steps = difference.steps;
            context.json(&Applied { revision, steps, waiting: Vec::new() })?;
        }
        Ok(outcome)
    }

    fn read(&self) -> Result<Config, Failure> {
        let refused = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
        if self.file.as_os_str() != "-" {
            return Config::read(&self.file).map_err(|error| refused(&error));
        }
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
        Config::parse("-", text).map_err(|error| refused(&error))
    }
}

impl Reload {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let applied = context.controller.reload()?;
        for remark in &applied.waiting {
            context.remark(remark);
        }
        if self.json.json {
            return context.json(&applied);
        }
        show(context, &applied.steps);
        Ok(())
    }
}

/// All that a file may say something of.
pub(super) fn standing(context: &mut Context<'_>) -> Result<Standing, Failure> {
    let controller = &mut *context.controller;
    Ok(Standing {
        listing: controller.listing(&ListQuery::default())?,
        timeouts: controller.settings()?.timeouts,
        tunables: controller.tunables()?,
        marks: controller.marks()?,
    })
}

fn show(context: &mut Context<'_>, steps: &[crate::config::Step]) {
    for step in steps {
        context.print(&format!("{step}\n"));
    }
}

/// What the controller said about a request made of `difference`, with the place in the file.
fn refusal(config: &Config, difference: &Difference, error: ClientError) -> Failure {
    match error {
        ClientError::Problem(Problem { code, .. }) if code == "stale" => {
            Failure::new("somebody else changed the table meanwhile; nothing was changed")
        }
        ClientError::Problem(Problem { message, detail, index: Some(index), .. }) => {
            let words = detail.unwrap_or(message);
            Failure::new(config.blame(&difference.key(index), words.trim()).to_string())
        }
        error => Failure::about("apply", error),
    }
}
