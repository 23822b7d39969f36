//! Command lines, run by `lvs-ctl`'s own ipvsadm against a director in the same process.

use std::ops::ControlFlow;

use clap::Parser;
use lvs_ctl::{
    api::{
        client::{ClientError, Controller},
        types::{
            ChangeAnswer, ChangeRequest, CheckAnswer, CheckRequest, Connection, ConnectionQuery,
            HealthListing, HealthQuery, ListQuery, Listing, MarkListing, Problem, RealServer,
            ResetAnswer, Settings, Status, TunableListing,
        },
    },
    cli::{
        self, Context, Outcome,
        ipvsadm::{self, Program, Streams},
        names::System,
    },
    dataplane::DataPlane,
    director::{Director, DirectorError, Who},
};

/// What a command said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub error: String,
    /// Its exit code.
    pub exit: u8,
}

/// The director as the command lines reach it, without a socket between.
struct NextDoor<'d, D>(&'d mut Director<D>);

/// lvs-ctl's own verbs.
#[derive(Parser)]
#[command(name = "lvs-ctl")]
struct OwnDialect {
    #[command(subcommand)]
    verb: cli::Verb,
}

pub(super) fn run<D: DataPlane>(director: &mut Director<D>, line: &str) -> Said {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let mut controller = NextDoor(director);
    let exit = match words.split_first() {
        Some((name, words)) if let Some(program) = Program::named(name) => {
            let (input, names) = (&mut std::io::empty(), System::default());
            let streams = Streams { input, output: &mut output, error: &mut error };
            ipvsadm::run(program, words, streams, &names, Ok(&mut controller))
        }
        _ => own_dialect(&words, &mut controller, &mut output, &mut error),
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { output: text(output), error: text(error), exit }
}

fn own_dialect(
    words: &[String],
    controller: &mut dyn Controller,
    output: &mut Vec<u8>,
    error: &mut Vec<u8>,
) -> u8 {
    let complaint = match OwnDialect::try_parse_from(words) {
        Err(complaint) => complaint.to_string(),
        Ok(OwnDialect { verb }) => {
            let names = System::default();
            match verb.run(&mut Context { controller, names: &names, output, error }) {
                Ok(Outcome::Done) => return 0,
                Ok(Outcome::Differs) => return 2,
                Err(failure) => failure.to_string(),
            }
        }
    };
    error.extend(complaint.into_bytes());
    1
}

impl<D: DataPlane> Controller for NextDoor<'_, D> {
    fn change(&mut self, request: &ChangeRequest) -> Result<ChangeAnswer, ClientError> {
        self.0.change(request).map(Into::into).map_err(|error| problem(&error))
    }

    fn listing(&mut self, query: &ListQuery) -> Result<Listing, ClientError> {
        self.0.listing(query).map_err(|error| problem(&error))
    }

    fn settings(&mut self) -> Result<Settings, ClientError> {
        Ok(self.0.settings())
    }

    fn tunables(&mut self) -> Result<TunableListing, ClientError> {
        Ok(self.0.tunables())
    }

    fn marks(&mut self) -> Result<MarkListing, ClientError> {
        Ok(self.0.marks())
    }

    fn connections(
        &mut self,
        query: &ConnectionQuery,
        visit: &mut dyn FnMut(Connection) -> bool,
    ) -> Result<(), ClientError> {
        let found = self.0.connections(query.clone());
        let shown = found.visit(&mut |connection| {
            // Breaking off is the visitor's own business.
            if visit(connection) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        shown.map_err(|error| problem(&error))
    }

    fn health(&mut self, _: &HealthQuery) -> Result<HealthListing, ClientError> {
        Err(nobody_checks())
    }

    fn check(&mut self, _: &CheckRequest) -> Result<CheckAnswer, ClientError> {
        Err(nobody_checks())
    }

    fn reset(&mut self, request: &RealServer) -> Result<ResetAnswer, ClientError> {
        let RealServer { service, dest } = request;
        let ended = self.0.reset_connections(&Who::controller(), service, dest);
        ended.map(|ended| ResetAnswer { ended }).map_err(|error| problem(&error))
    }

    fn status(&mut self) -> Result<Status, ClientError> {
        Ok(self.0.status())
    }
}

/// A director alone has no engine of health.
fn nobody_checks() -> ClientError {
    ClientError::Problem(Problem::new("no-check", "nothing is checked there"))
}

fn problem(error: &DirectorError) -> ClientError {
    // ipvsadm has few words; whoever reads a report wants the whole.
    let mut problem = Problem::from(error);
    if let Some(detail) = &problem.detail {
        problem.message = format!("{}: {detail}", problem.message);
    }
    ClientError::Problem(problem)
}
