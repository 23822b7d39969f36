//! The object's programs: those that a former controller of this build left, or else verified anew.
//!
//! The verifier takes most of a start's time. What it has accepted is pinned beside the maps, under a name
//! that tells the object and the constants in it: whoever starts with the same has it at once.

#![forbid(unsafe_code)]

use std::{fs, io, thread, time::Instant};

use aya::{
    Ebpf,
    maps::ProgramArray,
    programs::{Program, ProgramError, Xdp},
};
use aya_obj::programs::XdpAttachType;
use lvs_common::map::{name, rest};
use ring::digest::{Context, SHA256};

use super::{
    KernelError,
    attach::Hook,
    load::{Common, xdp},
    pins::Pins,
};

/// The program on interfaces.
pub(super) const DIRECTOR: &str = "lvs";
/// The program that sends health checks; forwarding does not need it.
pub(super) const PROBE: &str = "lvs_probe";
/// The one that the verifier is at for longer than at all others together.
const LONGEST: &str = "lvs_rest";

/// The programs that `lvs` goes on in, and the first of their places: one a hook.
const FURTHER: [(&str, u32); 5] = [
    (LONGEST, rest::REST),
    ("lvs6", rest::KNOWN6),
    ("lvs_wrap", rest::WRAP),
    ("lvs_wrap6", rest::WRAP6),
    ("lvs_tagged", rest::TAGGED),
];

/// What tells programs of one object with the same constants from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edition(String);

impl Edition {
    /// Of an object, which is given these constants.
    pub(super) fn of(object: &[u8], common: Common) -> Self {
        let Common { buckets, buckets6, seed, shift } = common;
        let mut context = Context::new(&SHA256);
        context.update(object);
        for number in [buckets, buckets6, shift] {
            context.update(&number.to_ne_bytes());
        }
        for secret in seed {
            context.update(&secret.to_ne_bytes());
        }
        let digest = context.finish();
        let words = digest.as_ref().first_chunk().copied().map(u64::from_ne_bytes);
        Self(format!("{:016x}", words.unwrap_or_default()))
    }
}

/// Makes the programs of a hook ready to run, and lets them go on in each other.
pub(super) fn ready(
    ebpf: &mut Ebpf,
    pins: &Pins,
    hook: Hook,
    edition: &Edition,
) -> Result<(), KernelError> {
    let is_taken = take(ebpf, pins, hook, edition)?;
    if !is_taken {
        verify_all(ebpf, hook)?;
    }
    // Ends our hold of the map that these programs name: none can be loaded after it.
    join(ebpf, u32::from(hook == Hook::Generic))?;
    if is_taken { Ok(()) } else { keep(ebpf, pins, hook, edition) }
}

/// Hands a program to the kernel.
pub(super) fn verify(program: &mut Xdp) -> Result<(), KernelError> {
    verified(|| program.load())
}

/// The same of a program of any type.
pub(super) fn verified(load: impl FnMut() -> Result<(), ProgramError>) -> Result<(), KernelError> {
    let is_interrupted = |error: &ProgramError| {
        matches!(error, ProgramError::LoadError { io_error, .. }
            if io_error.kind() == io::ErrorKind::WouldBlock)
    };
    let loaded = repeated(load, is_interrupted);
    loaded.map_err(|error| KernelError::program(&error))
}

/// Takes over what a former controller's verifier has accepted; false if that is not all.
fn take(ebpf: &mut Ebpf, pins: &Pins, hook: Hook, edition: &Edition) -> Result<bool, KernelError> {
    let path = |name| pins.program(hook, &edition.0, name);
    if !needed().all(|name| path(name).exists()) {
        return Ok(false);
    }
    for name in needed().chain([PROBE]).filter(|name| path(name).exists()) {
        let path = path(name);
        let taken = Xdp::from_pin(&path, XdpAttachType::Interface);
        *xdp(ebpf, name)? = taken.map_err(|error| KernelError::foreign(&path, error))?;
    }
    Ok(true)
}

/// Pins what the verifier has accepted, in the place of what is of other editions.
fn keep(ebpf: &mut Ebpf, pins: &Pins, hook: Hook, edition: &Edition) -> Result<(), KernelError> {
    for path in pins.programs(hook)? {
        fs::remove_file(&path).map_err(|source| KernelError::file("remove", &path, source))?;
    }
    for name in needed().chain([PROBE]) {
        let program = xdp(ebpf, name)?;
        if program.fd().is_ok() {
            let path = pins.program(hook, &edition.0, name);
            let pinned = program.pin(&path);
            pinned.map_err(|error| KernelError::call("pin", name, io::Error::other(error)))?;
        }
    }
    Ok(())
}

/// Has the verifier look at all programs of a hook: at the longest one beside the others.
fn verify_all(ebpf: &mut Ebpf, hook: Hook) -> Result<(), KernelError> {
    let mut longest = None;
    let mut others = Vec::new();
    for (name, program) in ebpf.programs_mut() {
        let Program::Xdp(program) = program else { continue };
        match name {
            LONGEST => longest = Some(program),
            name if needed().any(|needed| needed == name) => others.push((name, program)),
            PROBE if hook == Hook::Native => others.push((PROBE, program)),
            _ => {}
        }
    }
    let longest = longest.ok_or(KernelError::Missing(LONGEST))?;
    thread::scope(|scope| {
        let beside = scope.spawn(|| noted(LONGEST, longest));
        for (name, program) in others {
            match noted(name, program) {
                Err(error) if name == PROBE => {
                    tracing::warn!(%error, "no program for health checks through services");
                }
                done => done?,
            }
        }
        beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Hands a program to the kernel, and notes how long it looked at it.
fn noted(name: &str, program: &mut Xdp) -> Result<(), KernelError> {
    let begun = Instant::now();
    let done = verify(program);
    tracing::debug!(name, took = ?begun.elapsed(), "verified");
    done
}

/// The programs without which nothing is forwarded.
fn needed() -> impl Iterator<Item = &'static str> {
    [DIRECTOR].into_iter().chain(FURTHER.map(|(name, _)| name))
}

/// Lets the program go on in the further ones, in the places of its hook. An older program that is
/// still on an interface goes on in these from now on: what they leave for each other is pinned as well.
fn join(ebpf: &mut Ebpf, hook: u32) -> Result<(), KernelError> {
    let map = ebpf.take_map(name::REST).ok_or(KernelError::Missing(name::REST))?;
    let failed = |error| KernelError::call("write", name::REST, io::Error::other(error));
    let mut places = ProgramArray::try_from(map).map_err(failed)?;
    for (name, first) in FURTHER {
        let program = xdp(ebpf, name)?;
        let program = program.fd().map_err(|error| KernelError::program(&error))?;
        places.set(first + hook, program, 0).map_err(failed)?;
    }
    Ok(())
}

/// The verifier breaks off with `EAGAIN` when a signal comes; libbpf tries as often.
const ATTEMPTS: usize = 5;

fn repeated<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_interrupted: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut done = attempt();
    for _ in 1..ATTEMPTS {
        match &done {
            Err(error) if is_interrupted(error) => done = attempt(),
            _ => break,
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_attempt_is_repeated_and_another_failure_is_not() {
        let mut answers = [Err("again"), Err("again"), Ok(7), Err("no")].into_iter();
        let mut attempt = || repeated(|| answers.next().unwrap(), |error| *error == "again");
        assert_eq!((attempt(), attempt()), (Ok(7), Err("no")));
        let mut attempts = 0;
        let never = || {
            attempts += 1;
            Err::<(), _>("again")
        };
        assert_eq!(repeated(never, |_| true), Err("again"));
        assert_eq!(attempts, ATTEMPTS);
    }

    #[test]
    fn an_edition_tells_objects_and_constants_apart() {
        let common = Common { buckets: 64, buckets6: 64, seed: [1, 2], shift: 0 };
        let one = Edition::of(b"object", common);
        assert_eq!(one, Edition::of(b"object", common));
        assert_ne!(one, Edition::of(b"another", common));
        assert_ne!(one, Edition::of(b"object", Common { buckets: 65, ..common }));
        assert_ne!(one, Edition::of(b"object", Common { buckets6: 65, ..common }));
        assert_ne!(one, Edition::of(b"object", Common { seed: [1, 3], ..common }));
        assert_ne!(one, Edition::of(b"object", Common { shift: 1, ..common }));
    }
}
