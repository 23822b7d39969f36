//! What a scheduler asks of a service's real servers, and what it is to them.

use core::ops::ControlFlow;

use super::select::Opaque;

/// One real server as a scheduler sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// 0 (quiesced) to 2^31 - 1.
    pub weight: u32,
    /// Connections in a state that counts as active.
    pub active: u32,
    /// All its other connections.
    pub inactive: u32,
    /// 1 over its upper threshold, else 0 (see [`Thresholds`](super::Thresholds)). Not a bool: it
    /// is reckoned with, so that a scan has no branch for the verifier to follow.
    pub overloaded: u32,
}

/// A scheduler that looks at real servers one after another: a fold, so that the driver (host: a
/// loop; kernel: a branch-free loop, or `bpf_loop`) is not its business.
pub trait Scan {
    /// Looks at the real server at `position`. After a `Break` no visit changes what is chosen, so
    /// that a driver may stop there or go on, whichever is cheaper.
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()>;

    /// The position chosen among those visited.
    fn chosen(&self) -> Option<u32>;
}

/// A scheduler that leaps from bucket to bucket of its table: a fold like [`Scan`].
pub trait Probe {
    /// The bucket to look into at this step.
    fn bucket(&self, step: u32) -> u32;

    /// Looks at the real server in that bucket, as [`Scan::visit`].
    fn visit(&mut self, position: u32, of: Candidate) -> ControlFlow<()>;
}

/// One service's real servers in the kernel's order, newest first.
///
/// Implemented by the program over its maps, by the controller and tests over vectors. The drivers
/// (`scan`, `seek`, `probe`) have plain loops for the host; the program gives its own.
pub trait Pool {
    /// How comparisons are hidden from the compiler.
    type Opaque: Opaque;

    /// How many real servers there are, at most 2^16 - 1.
    fn len(&self) -> u32;

    /// Whether there are none.
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The real server at `position`.
    fn candidate(&self, position: u32) -> Option<Candidate>;

    /// What stands in bucket `index` of the service's table (dh, sh, mh); `None`: empty.
    fn bucket(&self, index: u32) -> Option<u32>;

    /// The word that rr and wrr keep between choices.
    fn cursor(&self) -> u64;

    /// Writes the cursor if it still holds `seen`; false when another CPU was faster.
    fn swap_cursor(&self, seen: u64, new: u64) -> bool;

    /// A random number, evenly spread (twos).
    fn random(&self) -> u32;

    /// Visits all in order, at least to the first `Break`: for schedulers that compare everybody.
    /// In the program, a loop without branches as far as the verifier's budget goes, `bpf_loop`
    /// beyond.
    #[inline(always)]
    fn scan<S: Scan>(&self, scan: S) -> S {
        self.seek(0, self.len(), scan)
    }

    /// Visits positions start, start + 1, … modulo length, `steps` of them, at least to the first
    /// `Break`: for schedulers that mostly take the first or second they see. In the program, a few
    /// steps, then `bpf_loop`.
    #[inline(always)]
    fn seek<S: Scan>(&self, start: u32, steps: u32, mut scan: S) -> S {
        let mut position = start;
        for _ in 0..steps {
            if position >= self.len() {
                position = 0;
            }
            let Some(candidate) = self.candidate(position) else { break };
            if scan.visit::<Self::Opaque>(position, candidate).is_break() {
                break;
            }
            position += 1;
        }
        scan
    }

    /// Visits what the probe's buckets hold, `steps` of them, at least to the first `Break` and no
    /// further than to the first empty bucket.
    #[inline(always)]
    fn probe<P: Probe>(&self, steps: u32, mut probe: P) -> P {
        for step in 0..steps {
            let Some(position) = self.bucket(probe.bucket(step)) else { break };
            let Some(candidate) = self.candidate(position) else { break };
            if probe.visit(position, candidate).is_break() {
                break;
            }
        }
        probe
    }
}
