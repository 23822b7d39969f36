//! The loaded program, for those who run it themselves: `BPF_PROG_TEST_RUN`.

#![forbid(unsafe_code)]

use aya::programs::Xdp;

use super::{Kernel, KernelError, load, programs::DIRECTOR};

impl Kernel {
    /// The program of the native hook.
    ///
    /// # Errors
    /// The object lacks it.
    pub fn program(&self) -> Result<&Xdp, KernelError> {
        let program = self.ebpf.program(DIRECTOR).ok_or(KernelError::Missing(DIRECTOR))?;
        program.try_into().map_err(|error| KernelError::program(&error))
    }

    /// The program as it stands in drivers. Pin it to keep a hold of it beside the director.
    ///
    /// # Errors
    /// The object has no such program.
    pub fn program_mut(&mut self) -> Result<&mut Xdp, KernelError> {
        load::xdp(&mut self.ebpf, DIRECTOR)
    }
}
