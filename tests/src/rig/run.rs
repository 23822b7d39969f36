//! One frame through the program, in the kernel.

use anyhow::{Context as _, Result, bail};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};

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

/// What became of a frame, without the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It left.
    Sent,
    /// It went on to the host's own stack.
    Passed,
    /// It is gone.
    Dropped,
}

/// What frames of one length by one interface have in common.
pub(super) struct Frames {
    context: Vec<u8>,
    out: Vec<u8>,
    length: usize,
}

/// Runs the program on a frame that came in by an interface of this thread's network.
///
/// # Errors
/// The kernel does not run it.
pub fn run(program: &Xdp, interface: u32, frame: &[u8]) -> Result<Fate> {
    let mut frames = Frames::new(interface, frame.len());
    Ok(match frames.run(program, frame)? {
        Action::Sent => Fate::Sent(frames.out().to_vec()),
        Action::Passed => Fate::Passed(frames.out().to_vec()),
        Action::Dropped => Fate::Dropped,
    })
}

impl Frames {
    pub(super) fn new(interface: u32, length: usize) -> Self {
        let mut frames = Self { context: Vec::new(), out: Vec::new(), length: 0 };
        frames.fit(interface, length);
        frames
    }

    /// Makes them frames of another length, by another interface.
    pub(super) fn fit(&mut self, interface: u32, length: usize) {
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
        let end = u32::try_from(length).expect("a frame");
        self.context.clear();
        for word in [0, end, 0, interface, 0, 0] {
            self.context.extend(word.to_ne_bytes());
        }
        self.out.resize(length + 128, 0);
    }

    pub(super) fn run(&mut self, program: &Xdp, frame: &[u8]) -> Result<Action> {
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut self.out),
                ctx_in: Some(&self.context),
                ..TestRunOptions::default()
            })
            .context("BPF_PROG_TEST_RUN")?;
        self.length = result.data_size_out as usize;
        // enum xdp_action
        match result.return_value {
            1 => Ok(Action::Dropped),
            2 => Ok(Action::Passed),
            3 | 4 => Ok(Action::Sent),
            other => bail!("the program returned {other}"),
        }
    }

    /// The frame that came out last.
    pub(super) fn out(&self) -> &[u8] {
        &self.out[..self.length]
    }
}
