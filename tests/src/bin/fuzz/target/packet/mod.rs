//! The packet's way, told in stories of a few frames: over maps in memory, and judged by another implementation.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow};

use super::Target;
use crate::mutate::Mutator;

mod change;
#[path = "../../../../../../lvs-ebpf/tests/path/stories/mod.rs"]
mod stories;

use change::Changes;
use stories::{story::Story, teller};

/// The stories that are told again by every test of the path.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lvs-ebpf/testdata/stories");

/// What is told.
pub(super) struct Packets;

impl Target for Packets {
    fn examples(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(Path::new(CORPUS)).expect("the corpus is part of the project");
        let mut files: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        files.iter().filter_map(|file| fs::read(file).ok()).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[]
    }

    fn input(&self, mutator: &mut Mutator, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut pick = || {
            let input = &corpus[mutator.below(corpus.len())];
            Story::read(&String::from_utf8_lossy(input)).unwrap_or_default()
        };
        let (story, other) = (pick(), pick());
        Changes(mutator).applied(story, &other).to_string().into_bytes()
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let story = Story::read(&String::from_utf8_lossy(input)).context("it is no story")?;
        let effects = teller::tell(&story).map_err(|wrong| anyhow!(wrong))?;
        // What follows what is an effect, too.
        let pairs = effects.windows(2).map(|pair| format!("{}, then {}", pair[0], pair[1]));
        let pairs: Vec<_> = pairs.collect();
        Ok([effects, pairs].concat().join("\n"))
    }
}
