//! Feeds what nobody would type to everything that reads: `cargo xtask fuzz` builds and runs this.
//!
//! Inputs are made of dictionaries, of examples and of inputs that had an effect not seen before. An input fails when
//! something panics, when it is refused but changed the rules, when the data plane has other rules than the API
//! shows, or when frames become what they must not; it is then written to a file, to be tried again by `--input`.
//!
//! One driver for all that is fed, by the compiler that the project is built with: what libFuzzer would see of which
//! lines were run, targets say themselves, in the words of the project, and inputs are stories and command lines, not
//! bytes, so that nearly all of them get beyond the first parser.
//!
//! | file | idea |
//! | --- | --- |
//! | `target/` | what is fed, a file each: a new one is a file and a line in `target::all` |
//! | `mutate` | inputs out of inputs |
//! | `controller` | a controller over a data plane in memory, and what its rules are |
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "progress is what the developer waits for")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;

mod controller;
mod mutate;
mod target;

use mutate::Mutator;
use target::Target;

/// Inputs that are kept to be changed further; new ones take the places of old ones.
const CORPUS_MAX: usize = 4_000;

/// Set by whatever panics, on whichever thread.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Feeds random input to whatever reads input, frames included
#[derive(Parser)]
#[command(name = "lvs-fuzz")]
struct Arguments {
    /// What is fed; all of it, one after the other, if nothing is named
    targets: Vec<String>,
    /// How long each is fed
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    minutes: f64,
    /// Where the random numbers begin; another place each time if it is not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Feed this file alone, once
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where inputs that fail are put
    #[arg(long, value_name = "DIR", default_value = ".")]
    failures: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::SeqCst);
        usual(panic);
    }));
    let known: BTreeSet<_> = target::all().into_iter().map(|(name, _)| name).collect();
    if let Some(other) = arguments.targets.iter().find(|name| !known.contains(name.as_str())) {
        bail!("there is no target {other}, only {known:?}");
    }
    for (name, make) in target::all() {
        if arguments.targets.is_empty() || arguments.targets.iter().any(|wanted| wanted == name) {
            feed(name, make()?.as_mut(), &arguments)?;
        }
    }
    Ok(())
}

fn feed(name: &str, target: &mut dyn Target, arguments: &Arguments) -> Result<()> {
    if let Some(file) = &arguments.input {
        let input = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        println!("{name}: {}", try_one(target, &input)?);
        return Ok(());
    }
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos().into());
    let seed = arguments.seed.unwrap_or_else(now);
    let mut mutator = Mutator::new(seed, target.words());
    let mut corpus = target.examples();
    for example in &corpus {
        try_one(target, example).with_context(|| format!("{name}: one of the examples"))?;
    }
    let (begun, limit) = (Instant::now(), Duration::from_secs_f64(arguments.minutes * 60.0));
    let (mut effects, mut count) = (BTreeSet::new(), 0_u64);
    while begun.elapsed() < limit {
        let input = target.input(&mut mutator, &corpus);
        let effect = match try_one(target, &input) {
            Ok(effect) => effect,
            Err(error) => {
                let file = arguments.failures.join(format!("{name}-{seed}-{count}"));
                fs::write(&file, &input)?;
                bail!("{name}, seed {seed}, input {count} ({}): {error:#}", file.display());
            }
        };
        count += 1;
        let known = effects.len();
        effects.extend(effect.lines().map(str::to_owned));
        if effects.len() > known {
            if corpus.len() < CORPUS_MAX {
                corpus.push(input);
            } else {
                let place = mutator.below(corpus.len());
                corpus[place] = input;
            }
        }
    }
    println!("{name}: {count} inputs, {} effects, nothing wrong (seed {seed})", effects.len());
    Ok(())
}

/// What the input did, in words without numbers.
fn try_one(target: &mut dyn Target, input: &[u8]) -> Result<String> {
    let effect = target.feed(input);
    if PANICKED.load(Ordering::SeqCst) {
        bail!("something panicked");
    }
    Ok(effect?.chars().filter(|char| !char.is_ascii_digit()).collect())
}
