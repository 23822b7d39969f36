//! `lvs-ctl mark …`: rules that give packets a firewall mark.

use clap::{Args, Subcommand, ValueEnum};

use super::{Context, Failure, service::Json, table::table};
use crate::api::types::{Change, MarkListing, MarkRule, Ports, Prefix, Protocol};

/// What to do with rules that mark packets.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Mark packets; of the rules that match one, the most specific decides
    #[command(
        after_help = "The most specific rule has the longer prefix, then ports before none, then \
        the narrower range of ports, then a protocol before none.\n\nExamples:\n  \
        lvs-ctl mark add --destination 192.0.2.1 1\n  \
        lvs-ctl mark add --protocol tcp --destination 192.0.2.0/24 --ports 80,443,8000-8100 2"
    )]
    Add(Rule),
    /// Delete the rule that was added by just these arguments
    #[command(after_help = "Example:\n  lvs-ctl mark delete --destination 192.0.2.1 1")]
    Delete(Rule),
    /// List the rules, the most specific first
    #[command(visible_alias = "ls")]
    List(Json),
}

/// A rule as it is typed.
#[derive(Debug, Args)]
pub struct Rule {
    /// Only packets of this protocol
    #[arg(long)]
    protocol: Option<ProtocolName>,
    /// Where the packets go: a network, or one address
    #[arg(long, value_name = "PREFIX")]
    destination: String,
    /// Only packets to these ports: 80,443,8000-8100
    #[arg(long, value_name = "PORTS")]
    ports: Option<String>,
    /// The mark: 1 to 4294967295, or as hexadecimal 0x1 to 0xffffffff
    mark: String,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolName {
    Tcp,
    Udp,
    Sctp,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Tcp => Self::Tcp,
            ProtocolName::Udp => Self::Udp,
            ProtocolName::Sctp => Self::Sctp,
        }
    }
}

impl Verb {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Add(rule) => rule.change(context, Change::AddMark),
            Self::Delete(rule) => rule.change(context, Change::DeleteMark),
            Self::List(json) => list(context, json),
        }
    }
}

impl Rule {
    fn change(
        &self,
        context: &mut Context<'_>,
        change: fn(MarkRule) -> Change,
    ) -> Result<(), Failure> {
        let rule = self.rule()?;
        context.change(&format!("mark {rule}"), change(rule), self.json.json)
    }

    fn rule(&self) -> Result<MarkRule, Failure> {
        let refused = |error: &dyn std::error::Error| Failure::new(error.to_string());
        let destination: Prefix = self.destination.parse().map_err(|error| refused(&error))?;
        let ports: Option<Ports> = self
            .ports
            .as_ref()
            .map(|ports| ports.parse())
            .transpose()
            .map_err(|error| refused(&error))?;
        Ok(MarkRule {
            protocol: self.protocol.map(Protocol::from),
            destination,
            ports: ports.unwrap_or_default(),
            mark: mark(&self.mark)?,
        })
    }
}

fn mark(text: &str) -> Result<u32, Failure> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    let number = u32::from_str_radix(digits, radix).ok();
    let number =
        number.filter(|&mark| mark > 0 && digits.chars().all(|digit| digit.is_digit(radix)));
    number.ok_or_else(|| Failure::new(format!("`{text}' is no firewall mark: 1 to {}", u32::MAX)))
}

fn list(context: &mut Context<'_>, json: Json) -> Result<(), Failure> {
    let listing = context.controller.marks()?;
    if json.json {
        return context.json(&listing);
    }
    context.print(&text(&listing));
    Ok(())
}

fn text(listing: &MarkListing) -> String {
    let any = || "any".to_owned();
    let rows = listing.marks.iter().map(|rule| {
        [
            rule.mark.to_string(),
            rule.protocol.map_or_else(any, |protocol| protocol.name().into()),
            rule.destination.to_string(),
            if rule.ports.is_any() { any() } else { rule.ports.to_string() },
        ]
    });
    table(&["MARK", "PROTOCOL", "DESTINATION", "PORTS"], &rows.collect::<Vec<_>>())
}
