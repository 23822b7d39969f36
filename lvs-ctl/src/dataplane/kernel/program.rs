//! The loaded program, for those who run it themselves: `BPF_PROG_TEST_RUN`.

#![forbid(unsafe_code)]

use aya::programs::Xdp;

use super::{Kernel, KernelError, load};

impl Kernel {
    /// The program as it stands in drivers. Pin it to keep a hold of it beside the director.
    ///
    /// # Errors
    /// The object has no such program.
    pub fn program(&mut self) -> Result<&mut Xdp, KernelError> {
        load::xdp(&mut self.ebpf, "lvs")
    }
}
