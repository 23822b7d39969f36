//! A folder with the results of a run: `results.json`, `results.svg`, `README.md`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{plot, results::Results};

/// The results, for programs to read.
const JSON: &str = "results.json";
/// The same as a picture.
const SVG: &str = "results.svg";

/// Writes the results into a folder, which is made.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write(folder: &Path, results: &Results) -> Result<()> {
    let place = || format!("cannot write results to {}", folder.display());
    fs::create_dir_all(folder).with_context(place)?;
    let json = format!("{}\n", serde_json::to_string_pretty(results)?);
    let files = [(JSON, json), (SVG, plot::svg(results)?), ("README.md", text(results))];
    files
        .into_iter()
        .try_for_each(|(name, text)| fs::write(folder.join(name), text).with_context(place))
}

/// Reads the results of a folder.
///
/// # Errors
/// There are none, or not such ones.
pub fn read(folder: &Path) -> Result<Results> {
    let path = folder.join(JSON);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read results from {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}: not results", path.display()))
}

fn text(results: &Results) -> String {
    let Results { commit, kernel, cpu, .. } = results;
    format!(
        "# Costs of {commit}\n\n\
         {cpu}, Linux {kernel}. Made by `cargo xtask bench --save`; \
         [how it is measured](../../performance.md). Compare ratios, not nanoseconds, with other runs: \
         `cargo xtask bench compare`.\n\n\
         ![nanoseconds a packet]({SVG})\n\n\
         ```text\n{results}```\n"
    )
}
