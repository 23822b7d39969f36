//! What is saved comes back: through ipvsadm's scripts, and through lvs-ctl's own.

mod common;

use std::collections::BTreeMap;

use clap::Parser;
use common::{FixedNames, Scratch, random::table};
use lvs_ctl::{
    api::client::{Client, Controller},
    api::types::{ChangeRequest, ListQuery, ServiceEntry},
    cli::{
        Context, Verb,
        ipvsadm::{self, Program, Streams},
    },
    model::{Change, Dest, DestAddr, Service, ServiceId},
};
use proptest::{collection::vec, prelude::*};

/// A controller, and the programs that talk to it.
struct Bench {
    scratch: Scratch,
    client: Client,
    names: FixedNames,
}

impl Bench {
    fn new() -> Self {
        let scratch = Scratch::start();
        let client = scratch.client();
        Self { scratch, client, names: FixedNames::recorded() }
    }

    /// Makes `changes` on an empty table; what is there twice is refused once.
    fn fill(&mut self, changes: Vec<Change>) {
        let changes = [Change::Flush].into_iter().chain(changes).collect();
        self.client.change(&ChangeRequest { changes, ..ChangeRequest::default() }).unwrap();
    }

    fn ipvsadm(&mut self, program: Program, words: &[&str], input: &[u8]) -> Vec<u8> {
        let (mut output, mut error) = (Vec::new(), Vec::new());
        let words: Vec<String> = words.iter().copied().map(str::to_owned).collect();
        let streams = Streams { input: &mut &*input, output: &mut output, error: &mut error };
        let exit = ipvsadm::run(program, &words, streams, &self.names, Ok(&mut self.client));
        assert_eq!((exit, String::from_utf8_lossy(&error).as_ref()), (0, ""));
        output
    }

    fn lvs_ctl(&mut self, words: &[&str]) -> Vec<u8> {
        let (mut output, mut error) = (Vec::new(), Vec::new());
        let line = Line::try_parse_from(["lvs-ctl"].iter().chain(words)).unwrap();
        let mut context = Context {
            controller: &mut self.client,
            names: &self.names,
            output: &mut output,
            error: &mut error,
        };
        line.verb.run(&mut context).unwrap();
        output
    }

    fn services(&mut self) -> Vec<ServiceEntry> {
        self.client.listing(&ListQuery::default()).unwrap().services
    }

    /// What ipvsadm saves: neither order nor thresholds.
    fn rules(&mut self) -> BTreeMap<ServiceId, (Service, BTreeMap<DestAddr, Dest>)> {
        let plain = |dest: Dest| Dest { upper_threshold: 0, lower_threshold: 0, ..dest };
        let entry = |ServiceEntry { service, dests, .. }: ServiceEntry| {
            let dests = dests.into_iter().map(|entry| (entry.dest.addr, plain(entry.dest)));
            (service.id, (service, dests.collect()))
        };
        self.services().into_iter().map(entry).collect()
    }
}

/// lvs-ctl's own verbs, as the program reads them.
#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn ipvsadm_save_and_restore_are_identity_but_for_thresholds(tables in vec(table(), 4)) {
        let mut bench = Bench::new();
        for changes in tables {
            bench.fill(changes);
            let before = bench.rules();
            let saved = bench.ipvsadm(Program::Save, &["-n"], b"");
            bench.ipvsadm(Program::Ipvsadm, &["-C"], b"");
            bench.ipvsadm(Program::Restore, &[], &saved);
            prop_assert_eq!(bench.rules(), before);
            prop_assert_eq!(bench.ipvsadm(Program::Save, &["-n"], b""), saved);
        }
    }

    #[test]
    fn save_and_restore_are_identity(tables in vec(table(), 4)) {
        let mut bench = Bench::new();
        for changes in tables {
            bench.fill(changes);
            let before = bench.services();
            let file = bench.scratch.directory.path().join("rules");
            std::fs::write(&file, bench.lvs_ctl(&["save"])).unwrap();
            bench.fill(Vec::new());
            bench.lvs_ctl(&["restore", file.to_str().unwrap()]);
            prop_assert_eq!(bench.services(), before);
        }
    }
}
