//! One frame through the program, in the kernel.

use anyhow::{Context as _, Result};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

/// `enum xdp_action`.
const PASS: u32 = 2;
const DROP: u32 = 1;
const TRANSMIT: u32 = 3;
const REDIRECT: u32 = 4;

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It left as this frame.
    Sent(Vec<u8>),
    /// It went on to the host's own stack.
    Passed(Vec<u8>),
    /// It is gone.
    Dropped,
}

/// Runs the program on a frame that came in by an interface of this thread's network.
///
/// # Errors
/// The kernel does not run it.
pub fn run(program: &Xdp, interface: u32, frame: &[u8]) -> Result<Fate> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
    let length = u32::try_from(frame.len())?;
    let context: [u32; 6] = [0, length, 0, interface, 0, 0];
    let context: Vec<u8> = context.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut out = vec![0; frame.len() + 128];
    let result = program
        .test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        })
        .context("BPF_PROG_TEST_RUN")?;
    out.truncate(result.data_size_out as usize);
    match result.return_value {
        PASS => Ok(Fate::Passed(out)),
        DROP => Ok(Fate::Dropped),
        TRANSMIT | REDIRECT => Ok(Fate::Sent(out)),
        other => anyhow::bail!("the program returned {other}"),
    }
}
