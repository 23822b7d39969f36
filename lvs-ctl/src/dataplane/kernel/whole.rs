//! The first moment of a director, and the rest of its program.
//!
//! The verifier looks at the whole program for most of a second. At a first start nothing is forwarded yet, so
//! connections of IPv4 do not wait for it: first comes a program that has what they need, and meanwhile the
//! verifier looks at the rest. Rules of IPv6 wait for it, and so does whoever answers commands. Until then
//! fragments and requests' ICMP errors are lost, as everything was a moment before.

#![forbid(unsafe_code)]

use std::{
    mem, panic,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use super::{Kernel, KernelError, load::Options};
use crate::model::{Family, Table};

/// What is still to come of the program. Clones are the same.
#[derive(Clone, Default)]
pub struct Whole(Arc<Mutex<Progress>>);

#[derive(Default)]
enum Progress {
    Coming(JoinHandle<Result<(), KernelError>>),
    Failed(String),
    #[default]
    Here,
}

impl Whole {
    /// All of it is there when `rest` is done, on a thread of its own.
    pub(super) fn after(
        rest: impl FnOnce() -> Result<(), KernelError> + Send + 'static,
    ) -> Result<Self, KernelError> {
        let thread = thread::Builder::new().name("verifying".to_owned()).spawn(rest);
        let thread = thread.map_err(|source| KernelError::call("start", "a thread", source))?;
        Ok(Self(Arc::new(Mutex::new(Progress::Coming(thread)))))
    }

    /// Returns when all of the program is in place.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn wait(&self) -> Result<(), KernelError> {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*progress, Progress::Coming(_))
            && let Progress::Coming(thread) = mem::take(&mut *progress)
            && let Err(error) = thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        {
            *progress = Progress::Failed(match error {
                KernelError::Load(why) => why,
                other => other.to_string(),
            });
        }
        match &*progress {
            Progress::Failed(why) => Err(KernelError::Load(why.clone())),
            _ => Ok(()),
        }
    }

    fn is_here(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Progress::Here)
    }
}

impl Kernel {
    /// Loads the program, over the maps of a former controller if there are any.
    ///
    /// # Errors
    /// The kernel refused something, or what is pinned is of another version.
    pub fn new(options: &Options) -> Result<Self, KernelError> {
        let kernel = Self::begin(options)?;
        match kernel.whole.wait() {
            Err(error) if !kernel.is_adopted() => {
                // The first error is the one to tell.
                Self::detach(&options.pin_dir).ok();
                Err(error)
            }
            done => done.map(|()| kernel),
        }
    }

    /// What is still to come of the program.
    #[must_use]
    pub fn whole(&self) -> Whole {
        self.whole.clone()
    }

    /// Returns when the program has what the rules need.
    pub(super) fn suffice(&self, table: &Table) -> Result<(), KernelError> {
        let is_v6 = || table.services().any(|entry| entry.service.id.family() == Family::Ipv6);
        if !self.whole.is_here() && is_v6() { self.whole.wait() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn everybody_waits_for_the_rest_once() {
        let (go, gone) = mpsc::channel::<()>();
        let whole = Whole::after(move || gone.recv().map_err(|_gone| KernelError::Missing("go")))
            .expect("a thread");
        assert!(!whole.is_here());
        let other = whole.clone();
        let waiting = thread::spawn(move || other.wait().is_ok());
        go.send(()).unwrap();
        assert!(waiting.join().unwrap());
        assert!(whole.wait().is_ok() && whole.is_here());
    }

    #[test]
    fn everybody_is_told_that_the_kernel_refused_it() {
        let refused = || Err(KernelError::Load("too long".to_owned()));
        let whole = Whole::after(refused).expect("a thread");
        for _ in 0..2 {
            let said = whole.wait().unwrap_err().to_string();
            assert_eq!(said, "the kernel refused the program: too long");
        }
        assert!(!whole.is_here());
    }
}
