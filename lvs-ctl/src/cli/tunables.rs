//! `lvs-ctl tunables …`: IPVS's `net/ipv4/vs/*`.

use clap::{Args, Subcommand};

use super::{Context, Failure, service::Json, table::table};
use crate::{
    api::{
        client::ClientError,
        types::{Change, ChangeRequest, TunableListing, TunableValue},
    },
    model::{Tunable, TunableEffect},
};

/// What to do with tunables.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List all tunables, and what each does here
    #[command(visible_alias = "ls")]
    List(Json),
    /// Set tunables, all or none
    #[command(after_help = "Examples:\n  \
        lvs-ctl tunables set conn_reuse_mode=0\n  \
        lvs-ctl tunables set expire_nodest_conn=1 expire_quiescent_template=1\n  \
        lvs-ctl tunables set sync_threshold=3,50")]
    Set(Set),
}

/// Which tunables to set.
#[derive(Debug, Args)]
pub struct Set {
    /// Tunables under their IPVS names, and what to set them to
    #[arg(value_name = "NAME=VALUE", required = true)]
    settings: Vec<String>,
    #[command(flatten)]
    json: Json,
}

impl Verb {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::List(json) => list(context, json),
            Self::Set(set) => set.run(context),
        }
    }
}

fn list(context: &mut Context<'_>, json: Json) -> Result<(), Failure> {
    let listing = context.controller.tunables()?;
    if json.json {
        return context.json(&listing);
    }
    context.print(&text(&listing));
    Ok(())
}

fn text(listing: &TunableListing) -> String {
    let rows = listing.tunables.iter().map(|it| {
        let unit = if it.unit.is_empty() { "-" } else { &it.unit };
        [
            it.name.clone(),
            it.value.to_string(),
            it.default.to_string(),
            it.range.clone(),
            unit.into(),
            it.effect.clone(),
            it.meaning.clone(),
        ]
    });
    let head = ["TUNABLE", "VALUE", "DEFAULT", "RANGE", "UNIT", "EFFECT", "MEANING"];
    table(&head, &rows.collect::<Vec<_>>())
}

impl Set {
    fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        let read: Result<Vec<_>, _> = self.settings.iter().map(|text| setting(text)).collect();
        let settings = read?;
        let change = |&(name, value): &(&str, _)| Change::SetTunable { name: name.into(), value };
        let changes = settings.iter().map(change).collect();
        let request = ChangeRequest { changes, all_or_nothing: true, if_revision: None };
        match context.controller.change(&request) {
            Ok(answer) => context.changed(&answer, self.json.json)?,
            Err(ClientError::Problem(problem)) => {
                let blamed = problem.index.and_then(|index| self.settings.get(index));
                let subject = blamed.map_or("tunables", String::as_str);
                return Err(Failure::about(subject, ClientError::Problem(problem)));
            }
            Err(error) => return Err(error.into()),
        }
        for remark in settings.iter().filter_map(|(name, value)| remark(name, *value)) {
            context.remark(&remark);
        }
        Ok(())
    }
}

fn setting(text: &str) -> Result<(&str, TunableValue), Failure> {
    let no_setting = || Failure::new(format!("`{text}' sets no tunable: NAME=VALUE, a number"));
    let (name, value) = text.split_once('=').ok_or_else(no_setting)?;
    let value = value.parse().map_err(|_no_number| no_setting())?;
    Ok((name, value))
}

/// What is set without effect is not passed over in silence.
fn remark(name: &str, value: TunableValue) -> Option<String> {
    let tunable = Tunable::named(name).filter(|tunable| !tunable.is_heeded_at(value))?;
    let heeded = match tunable.effect {
        TunableEffect::Only(heeded) => format!("; {heeded} has one"),
        TunableEffect::Full | TunableEffect::None => String::new(),
    };
    Some(format!("{name}={value} is kept, but has no effect here{heeded}"))
}
