//! The object, loaded into the running kernel and let go again.

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    programs::{Program, ProgramError, ProgramInfo},
};

/// Maps are made no larger than this: their size changes nothing for the verifier.
const LARGEST_MAP_BYTES: u32 = 1 << 20;

/// How many of the last lines of the verifier's log are shown.
const LOG_LINES: usize = 40;

/// A program that the kernel has accepted.
pub(crate) struct Accepted {
    /// Its name.
    pub(crate) name: String,
    /// Instructions that the verifier went through, over all paths.
    pub(crate) verified: u32,
    /// Instructions left after verification.
    pub(crate) instructions: u32,
    /// Size of the machine code.
    pub(crate) jited_bytes: u32,
}

/// Loads every program of the object, in the order of their names.
pub(crate) fn load(object: &[u8]) -> Result<Vec<Accepted>> {
    let mut loaded = with_small_maps(object)?;
    let mut programs: Vec<_> = loaded.programs_mut().collect();
    programs.sort_unstable_by_key(|&(name, _)| name);
    if programs.is_empty() {
        bail!("the object has no program");
    }
    programs
        .into_iter()
        .map(|(name, program)| match program {
            Program::Xdp(program) => accepted(name, program.load(), program.info()),
            Program::SchedClassifier(program) => accepted(name, program.load(), program.info()),
            other => bail!("{name} is a program of type {:?}, not of ours", other.prog_type()),
        })
        .collect()
}

fn with_small_maps(bytes: &[u8]) -> Result<Ebpf> {
    let object = aya_obj::Object::parse(bytes).context("aya cannot read the object")?;
    let mut loader = EbpfLoader::new();
    for (name, map) in &object.maps {
        let entry_bytes = map.key_size().saturating_add(map.value_size());
        let entries = smaller(map.max_entries(), entry_bytes);
        if entries != map.max_entries() {
            loader.map_max_entries(name, entries);
        }
    }
    loader.load(bytes).context("the kernel refuses the maps")
}

/// Halved, not cut: some types of map want a power of two.
fn smaller(entries: u32, entry_bytes: u32) -> u32 {
    let mut entries = entries;
    while entries > 1 && entries.saturating_mul(entry_bytes.max(1)) > LARGEST_MAP_BYTES {
        entries /= 2;
    }
    entries
}

fn accepted(
    name: &str,
    loaded: Result<(), ProgramError>,
    info: Result<ProgramInfo, ProgramError>,
) -> Result<Accepted> {
    if let Err(error) = loaded {
        bail!("the kernel refuses {name}: {}", explain(&error));
    }
    let info = info?;
    Ok(Accepted {
        name: name.to_owned(),
        verified: info.verified_instruction_count().context("this kernel does not count (5.16 does)")?,
        instructions: info.size_translated().context("this kernel hides the program from us")? / 8,
        jited_bytes: info.size_jitted(),
    })
}

fn explain(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return error.to_string();
    };
    format!("{io_error}\n{}", tail(&verifier_log.to_string()))
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().map(|line| format!("    {line}")).collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    let cut = (first > 0).then(|| format!("    ({first} lines above these)"));
    cut.into_iter().chain(lines[first..].iter().cloned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_maps_shrink_by_halves_and_small_ones_stay() {
        assert_eq!(smaller(1 << 20, 128), 1 << 13);
        assert_eq!(smaller(512, 40), 512);
        assert_eq!(smaller(1 << 24, 0), 1 << 20);
    }

    #[test]
    fn the_end_of_the_log_is_shown() {
        let log: Vec<_> = (1..=50).map(|line| format!("line {line}")).collect();
        let shown = tail(&log.join("\n"));
        assert!(shown.starts_with("    (10 lines above these)\n    line 11\n"));
        assert!(shown.ends_with("    line 50"));
    }
}
