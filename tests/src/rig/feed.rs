//! Frames of any kind, one after the other, as fast as the kernel takes them.

use anyhow::Result;
use aya::programs::Xdp;

use super::{
    Rig, Side,
    run::{Action, Frames},
};

/// A thread's own way into the program.
pub struct Feed {
    program: Xdp,
    frames: Frames,
    interfaces: [u32; 2],
}

impl Feed {
    /// The shortest frame that the kernel gives to a program: a link-layer header.
    pub const SHORTEST: usize = 14;

    /// One more of them.
    ///
    /// # Errors
    /// The kernel has no descriptor to give.
    pub fn new(rig: &Rig<'_>) -> Result<Self> {
        Ok(Self {
            program: rig.program()?,
            frames: Frames::new(rig.index(Side::Clients), Self::SHORTEST),
            interfaces: [Side::Clients, Side::Servers].map(|side| rig.index(side)),
        })
    }

    /// Lets a frame come in on a side.
    ///
    /// # Errors
    /// The kernel does not run the program, or the program says what is no action.
    pub fn send(&mut self, side: Side, frame: &[u8]) -> Result<Action> {
        let [clients, servers] = self.interfaces;
        let interface = if side == Side::Clients { clients } else { servers };
        self.frames.fit(interface, frame.len());
        self.frames.run(&self.program, frame)
    }

    /// What the last frame is now.
    #[must_use]
    pub fn out(&self) -> &[u8] {
        self.frames.out()
    }
}
