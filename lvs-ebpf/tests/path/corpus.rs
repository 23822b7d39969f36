//! The corpus of stories: those that are made here, one for each kind of frame and way, and those that the fuzzer
//! found something with. All of them are told again.
//!
//! Made anew by `LVS_BLESS=1 cargo test -p lvs-ebpf --features host corpus`.

use std::{env, fs, path::PathBuf};

use crate::{
    seeds,
    stories::{story::Story, teller},
};

/// Under miri, which takes seconds for a frame: no story of more bytes, and of the others one in so many.
const LONG: usize = 6_000;
const ONE_IN: usize = 5;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/stories")
}

/// The stories of the directory, by their names.
fn corpus() -> Vec<(String, Story)> {
    let mut stories = Vec::new();
    for file in fs::read_dir(directory()).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        if cfg!(miri) && text.len() > LONG {
            continue;
        }
        let story = Story::read(&text);
        stories.push((name.clone(), story.unwrap_or_else(|| panic!("{name} is no story"))));
    }
    stories.sort_by(|one, other| one.0.cmp(&other.0));
    stories.into_iter().step_by(if cfg!(miri) { ONE_IN } else { 1 }).collect()
}

#[test]
fn every_story_ends_as_it_must() {
    for (name, story) in corpus() {
        if let Err(wrong) = teller::tell(&story) {
            panic!("{name}, {wrong}");
        }
    }
}

#[test]
fn the_corpus_has_the_stories_that_are_made() {
    let made = seeds::all();
    if env::var_os("LVS_BLESS").is_some() {
        fs::create_dir_all(directory()).unwrap();
        for (name, story) in &made {
            fs::write(directory().join(name), story.to_string()).unwrap();
        }
    }
    let corpus = corpus();
    for (name, story) in made {
        let found = corpus.iter().find(|(other, _)| *other == name);
        assert_eq!(found.map(|(_, found)| found), Some(&story), "{name}");
    }
}

#[test]
fn the_stories_that_are_made_go_every_way() {
    let mut effects = Vec::new();
    for (name, story) in seeds::all() {
        effects.extend(teller::tell(&story).unwrap_or_else(|wrong| panic!("{name}, {wrong}")));
    }
    let ways = crate::stories::world::WAYS.map(|way| way.name);
    let ends = ["reply", "told to the client", "translated by the stack", "wrapped by the stack"];
    for way in ways.into_iter().chain(ends) {
        for family in ["four", "six"] {
            // IPv6 is cut by nobody but its sender.
            let never = family == "six" && way.ends_with("by the stack");
            let goes = |effect: &String| effect.contains(family) && effect.ends_with(way);
            assert_eq!(effects.iter().any(goes), !never, "{family}, {way}: {effects:#?}");
        }
    }
    for told in ["no_dest told", "ttl_expired told", "over_mtu told"] {
        assert!(effects.iter().any(|effect| effect.ends_with(told)), "{told}: {effects:#?}");
    }
}

#[test]
fn a_story_is_read_as_it_was_written() {
    for (_, story) in seeds::all() {
        assert_eq!(Story::read(&story.to_string()), Some(story));
    }
    assert_eq!(Story::read("# nothing\n\n"), Some(Story::default()));
    for wrong in ["driver", "driver x 00", "sideways 0 00", "driver 0 0", "driver 0 00 00"] {
        assert_eq!(Story::read(wrong), None, "{wrong}");
    }
}
