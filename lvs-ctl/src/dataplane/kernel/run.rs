//! A loaded program, run with a frame: `BPF_PROG_TEST_RUN`. It is run by its descriptor alone, beside whoever has the
//! object.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::programs::{ProgramFd, Xdp};
use lvs_common::map::early::Released;

use super::KernelError;

/// `BPF_PROG_TEST_RUN`.
const COMMAND: libc::c_long = 10;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`: what the program decides is done.
const LIVE: u32 = 1 << 1;
/// Bytes that a frame may grow by: a tunnel's headers, and tags.
const GROWTH: usize = 128;
const LEAD: usize = size_of::<Released>();

/// A program.
pub(super) struct Runner(ProgramFd);

/// What it made of a frame.
#[derive(Debug)]
pub(super) struct Made {
    /// What is to be done with it (`enum xdp_action`).
    pub(super) action: u32,
    /// What it wrote before the frame.
    pub(super) lead: Released,
    /// The frame.
    pub(super) frame: Vec<u8>,
}

/// The part of `union bpf_attr` that belongs to the command.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    program: u32,
    result: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    pad: u32,
}

impl Runner {
    /// Of a program that is loaded.
    pub(super) fn new(program: &Xdp) -> Result<Self, KernelError> {
        let program = program.fd().map_err(|error| KernelError::program(&error))?.try_clone();
        program.map(Self).map_err(|source| KernelError::call("dup", "of a program", source))
    }

    /// Runs it with a frame that came in by an interface, and with metadata before it; nothing is sent.
    pub(super) fn run(&self, lead: Released, frame: &[u8], interface: u32) -> io::Result<Made> {
        let given = [bytemuck::bytes_of(&lead), frame].concat();
        let mut out = vec![0; given.len() + GROWTH];
        let (action, bytes) = self.call(&given, LEAD, interface, Some(&mut out), 0)?;
        out.truncate(bytes);
        let frame = out.split_off(LEAD.min(out.len()));
        let lead = bytemuck::try_pod_read_unaligned(&out);
        let lead = lead.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Made { action, lead, frame })
    }

    /// Runs it with a frame, as if the interface had received it.
    pub(super) fn receive(&self, frame: &[u8], interface: u32) -> io::Result<()> {
        self.call(frame, 0, interface, None, LIVE).map(drop)
    }

    /// The action, and how many bytes came out.
    fn call(
        &self,
        given: &[u8],
        lead: usize,
        interface: u32,
        out: Option<&mut [u8]>,
        flags: u32,
    ) -> io::Result<(u32, usize)> {
        let size = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
        let context = [size(lead)?, size(given.len())?, 0, interface, 0, 0];
        let mut attributes = Attributes {
            program: self.0.as_fd().as_raw_fd().try_into().map_err(io::Error::other)?,
            data_size_in: size(given.len())?,
            data_in: given.as_ptr() as u64,
            context_size_in: size(size_of_val(&context))?,
            context_in: context.as_ptr() as u64,
            repeat: 1,
            flags,
            ..Attributes::default()
        };
        if let Some(out) = out {
            attributes.data_size_out = size(out.len())?;
            attributes.data_out = out.as_mut_ptr() as u64;
        }
        let length = size_of_val(&attributes);
        // SAFETY: the call reads what goes in and writes what comes out, each of the size said; all of it
        // outlives the call.
        let done = unsafe { libc::syscall(libc::SYS_bpf, COMMAND, &raw mut attributes, length) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((attributes.result, attributes.data_size_out as usize))
    }
}
