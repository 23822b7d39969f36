//! The object's programs: those that a former controller of this build left, or else verified anew.
//!
//! The verifier takes most of a start's time. What it has accepted is pinned beside the maps, under a name
//! that tells the object and the constants in it: whoever starts with the same has it at once. At a first start
//! it first looks at what connections of IPv4 need; see [`whole`](super::whole).

#![forbid(unsafe_code)]

use std::{
    fs, io, panic,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

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

/// The programs that `lvs` goes on in, and the first of their places, one a hook: each after those that it
/// goes on in itself.
const FURTHER: [(&str, u32); 5] = [
    (LONGEST, rest::REST),
    ("lvs_wrap", rest::WRAP),
    ("lvs_wrap6", rest::WRAP6),
    ("lvs6", rest::KNOWN6),
    ("lvs_tagged", rest::TAGGED),
];

/// All of a hook's but the one for health checks.
const ALL: &[&str] = &[DIRECTOR, LONGEST, "lvs_wrap", "lvs_wrap6", "lvs6", "lvs_tagged"];
/// Those that connections of IPv4 need, and health checks.
const FIRST: &[&str] = &[DIRECTOR, LONGEST, "lvs_wrap", "lvs_tagged", PROBE];
/// Those that come after them: the longest one once more, this time whole.
const LATER: &[&str] = &[LONGEST, "lvs_wrap6", "lvs6"];

/// The programs of one hook, and where they are pinned.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) pins: Pins,
    pub(super) hook: Hook,
    pub(super) edition: Edition,
}

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

impl Place {
    /// Whether a former controller of this build has left all programs here.
    pub(super) fn is_filled(&self) -> bool {
        ALL.iter().all(|name| self.path(name).exists())
    }

    /// Makes all programs ready to run, and lets them go on in each other.
    pub(super) fn fill(&self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let probe: &[_] = if self.hook == Hook::Native { &[PROBE] } else { &[] };
        let names = [ALL, probe].concat();
        if !self.is_filled() {
            return self.make(ebpf, &names, &names);
        }
        for name in names {
            let path = self.path(name);
            if path.exists() {
                take(xdp(ebpf, name)?, &path)?;
            }
        }
        self.join(ebpf, ALL)
    }

    /// The same of those that connections of IPv4 need, out of an object whose rest is bare.
    pub(super) fn begin(&self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let kept: Vec<_> = FIRST.iter().copied().filter(|name| *name != LONGEST).collect();
        self.make(ebpf, FIRST, &kept)
    }

    /// The same of those that are missing then, out of an object that is whole.
    pub(super) fn complete(&self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        self.make(ebpf, LATER, LATER)
    }

    /// Has programs verified, and keeps some of them for the next controller.
    fn make(
        &self,
        ebpf: &mut Ebpf,
        names: &[&'static str],
        kept: &[&'static str],
    ) -> Result<(), KernelError> {
        verify_all(ebpf, names)?;
        // Ends our hold of the map that these programs name: none can be loaded after it.
        self.join(ebpf, names)?;
        for path in self.pins.programs(self.hook)? {
            if !path.to_string_lossy().contains(&self.edition.0) {
                unpin(&path)?;
            }
        }
        for name in names {
            let program = xdp(ebpf, name)?;
            if program.fd().is_err() {
                continue;
            }
            let path = self.path(name);
            if path.exists() {
                unpin(&path)?;
            }
            let pinned = program.pin(&path);
            pinned.map_err(|error| KernelError::call("pin", name, io::Error::other(error)))?;
            // What it was made of is not needed any more.
            take(program, &path)?;
            if !kept.contains(name) {
                unpin(&path)?;
            }
        }
        Ok(())
    }

    /// Lets the program go on in the further ones, in the places of its hook. An older program that is
    /// still on an interface goes on in these from now on: what they leave for each other is pinned as well.
    fn join(&self, ebpf: &mut Ebpf, names: &[&'static str]) -> Result<(), KernelError> {
        let map = ebpf.take_map(name::REST).ok_or(KernelError::Missing(name::REST))?;
        let failed = |error| KernelError::call("write", name::REST, io::Error::other(error));
        let mut places = ProgramArray::try_from(map).map_err(failed)?;
        for (name, first) in FURTHER.into_iter().filter(|(name, _)| names.contains(name)) {
            let program = xdp(ebpf, name)?;
            let program = program.fd().map_err(|error| KernelError::program(&error))?;
            places
                .set(first + u32::from(self.hook == Hook::Generic), program, 0)
                .map_err(failed)?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pins.program(self.hook, &self.edition.0, name)
    }
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

/// Takes over a program that is pinned there.
fn take(program: &mut Xdp, path: &Path) -> Result<(), KernelError> {
    let taken = Xdp::from_pin(path, XdpAttachType::Interface);
    *program = taken.map_err(|error| KernelError::foreign(path, error))?;
    Ok(())
}

fn unpin(path: &Path) -> Result<(), KernelError> {
    fs::remove_file(path).map_err(|source| KernelError::file("remove", path, source))
}

/// Has the verifier look at programs, on all processors, the longest one first.
fn verify_all(ebpf: &mut Ebpf, names: &[&'static str]) -> Result<(), KernelError> {
    let mut programs = Vec::new();
    for (name, program) in ebpf.programs_mut() {
        match program {
            Program::Xdp(program) if names.contains(&name) => programs.push((name, program)),
            _ => {}
        }
    }
    programs.sort_unstable_by_key(|(name, _)| *name == LONGEST);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(programs.len());
    let programs = Mutex::new(programs);
    let next = || programs.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        while let Some((name, program)) = next() {
            match noted(name, program) {
                Err(error) if name == PROBE => {
                    tracing::warn!(%error, "no program for health checks through services");
                }
                done => done?,
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let end = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        };
        workers.into_iter().try_for_each(end)
    })
}

/// Hands a program to the kernel, and notes how long it looked at it.
fn noted(name: &str, program: &mut Xdp) -> Result<(), KernelError> {
    let begun = Instant::now();
    let done = verify(program);
    tracing::debug!(name, took = ?begun.elapsed(), "verified");
    done
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
