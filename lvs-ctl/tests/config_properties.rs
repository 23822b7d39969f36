//! Random tables, written as files and applied to other tables.

mod common;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
};

use boon::{Compiler, Schemas};
use common::{Scratch, random};
use lvs_ctl::{
    api::{
        client::{Client, ClientError, Controller},
        types::{ChangeRequest, ListQuery, Listing},
    },
    config::{Config, Standing, difference, written},
    model::{Change, Dest, Origin, Service, ServiceId},
};
use proptest::{collection::vec, prelude::*};

/// Real servers by their words: neither `Dest` nor its parts have an order.
type Rules = BTreeMap<ServiceId, (Service, BTreeSet<String>)>;

fn rules(listing: &Listing) -> Rules {
    let dests = |dests: Vec<Dest>| dests.iter().map(|dest| format!("{dest:?}")).collect();
    let entries = listing.services.iter();
    entries
        .map(|entry| {
            let dests = dests(entry.dests.iter().map(|entry| entry.dest).collect());
            (entry.service.id, (entry.service.clone(), dests))
        })
        .collect()
}

/// Makes `changes` after a flush; what is there twice is refused once.
fn fill(client: &mut Client, changes: &[Change]) -> Listing {
    let changes = [Change::Flush].iter().chain(changes).cloned().collect();
    client.change(&ChangeRequest { changes, ..ChangeRequest::default() }).unwrap();
    listing(client)
}

fn listing(client: &mut Client) -> Listing {
    client.listing(&ListQuery::default()).unwrap()
}

fn standing(client: &mut Client) -> Standing {
    Standing {
        listing: listing(client),
        timeouts: client.settings().unwrap().timeouts,
        tunables: client.tunables().unwrap(),
        marks: client.marks().unwrap(),
    }
}

/// The file that declares what `client`'s controller has.
fn file(client: &mut Client) -> String {
    written(&standing(client)).unwrap()
}

/// Applies the file as one request: how many steps that took.
fn apply(client: &mut Client, text: &str) -> usize {
    let config = Config::parse("lvs.toml", text.to_owned()).unwrap();
    try_apply(client, &config).unwrap()
}

fn try_apply(client: &mut Client, config: &Config) -> Result<usize, ClientError> {
    let standing = standing(client);
    let difference = difference(&config.rules, &standing);
    let request = ChangeRequest {
        changes: difference.changes(),
        all_or_nothing: true,
        if_revision: Some(standing.listing.revision),
    };
    client.change(&request)?;
    Ok(difference.steps.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_table_written_as_a_file_is_the_same_table(tables in vec(random::table(), 8)) {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lvs.schema.json");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let schema = compiler.compile(schema, &mut schemas).unwrap();
        let scratch = Scratch::start();
        let mut client = scratch.client();
        for changes in tables {
            let before = fill(&mut client, &changes).services;
            let text = file(&mut client);
            let value: serde_json::Value = toml::from_str(&text).unwrap();
            prop_assert!(schemas.validate(&value, schema).is_ok(), "{}", text);
            fill(&mut client, &[]);
            apply(&mut client, &text);
            // The order of real servers too: all of them are new.
            let mut after = listing(&mut client).services;
            for entry in &mut after {
                prop_assert_eq!(entry.origin, Origin::File);
                entry.origin = Origin::Command;
            }
            prop_assert_eq!(&after, &before);
            prop_assert_eq!(file(&mut client), text);
        }
    }

    #[test]
    fn applying_the_difference_gives_the_new_table(
        rounds in vec((random::table(), random::table(), random::table()), 6),
    ) {
        let scratch = Scratch::start();
        let mut client = scratch.client();
        for (old, new, by_command) in rounds {
            fill(&mut client, &new);
            let new = (rules(&listing(&mut client)), file(&mut client));
            fill(&mut client, &old);
            let old = file(&mut client);
            let commands = rules(&fill(&mut client, &by_command));
            apply(&mut client, &old);
            apply(&mut client, &new.1);
            // Commands made the rest, and what the file once declared is the file's for good.
            let once: HashSet<_> = Config::parse("lvs.toml", old).unwrap().rules.services.iter()
                .map(|declared| declared.service.id).collect();
            let mut expected = commands;
            expected.retain(|id, _| !once.contains(id));
            expected.extend(new.0);
            prop_assert_eq!(rules(&listing(&mut client)), expected);
            let revision = listing(&mut client).revision;
            prop_assert_eq!(apply(&mut client, &new.1), 0);
            prop_assert_eq!(listing(&mut client).revision, revision);
        }
    }

    #[test]
    fn a_file_of_any_bytes_is_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lvs.toml");
        fs::write(&path, bytes).unwrap();
        if let Err(refused) = Config::read(&path) {
            prop_assert!(!refused.to_string().contains('\n'), "{}", refused);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_example_is_refused_at_a_place_in_it_or_applied_whole_or_not_at_all(
        damage in vec((any::<prop::sample::Index>(), "[\\[\\]={}\"'#.,0-9a-zé \n-]{0,3}"), 1..4),
    ) {
        let mut text = include_str!("../dist/lvs.toml").replace("\n#", "\n").replace("\n ", "\n# ");
        Config::parse("lvs.toml", text.clone()).unwrap();
        for (place, put) in damage {
            let mut at = place.index(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let end = (at..=text.len()).skip(1).find(|&end| text.is_char_boundary(end)).unwrap();
            text.replace_range(at..end, &put);
        }
        let config = match Config::parse("lvs.toml", text.clone()) {
            Ok(config) => config,
            Err(mistake) => {
                let line = text.split('\n').nth(mistake.line - 1).unwrap();
                prop_assert!(mistake.column <= line.chars().count() + 1, "{}", mistake);
                prop_assert!(!mistake.to_string().contains('\n'), "{}", mistake);
                return Ok(());
            }
        };
        let scratch = Scratch::start();
        let mut client = scratch.client();
        let before = listing(&mut client);
        if try_apply(&mut client, &config).is_ok() {
            prop_assert_eq!(try_apply(&mut client, &config).unwrap(), 0);
        } else {
            prop_assert_eq!(listing(&mut client), before);
        }
    }
}
