//! The source of frames, and programs on interfaces.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::Array,
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, xdp::XdpMode},
};
use lvs_tests::netns::Netns;
use nix::unistd::gettid;

use crate::frame::LENGTH;

/// Frames that the source hands over at a time: as many as a driver takes from its ring.
const BATCH: u32 = 64;

/// Rounds of the source's that it can tell apart.
const ROUNDS: usize = 16;

/// The flows that frames are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    /// So many, a power of two.
    Some(u32),
    /// Practically every packet is of another one.
    Ever,
}

/// Sends frames by an interface of the host that it was made for.
pub struct Source<'n> {
    ebpf: Ebpf,
    netns: &'n Netns,
    frame: [u8; LENGTH],
    round: u32,
}

/// A program on an interface, as long as this lives.
pub struct Attached(Ebpf);

impl<'n> Source<'n> {
    /// Sends this frame, of so many flows, by the interface of that number, in rounds of so many, a power of two.
    pub fn new(
        object: &[u8],
        (netns, out): (&'n Netns, u32),
        frame: [u8; LENGTH],
        flows: Flows,
        round: u32,
    ) -> Result<Self> {
        let many = match flows {
            Flows::Some(many) => many,
            Flows::Ever => 0,
        };
        let mut ebpf = EbpfLoader::new()
            .override_global("FRAME", &template(&frame), true)
            .override_global("OUT", &out, true)
            .override_global("MANY", &many, true)
            .override_global("ROUND_BITS", &round.ilog2(), true)
            .load(object)?;
        xdp(&mut ebpf, "source")?.load()?;
        Ok(Self { ebpf, netns, frame, round })
    }

    /// Sends so many.
    pub fn send(&self, packets: u32) -> Result<()> {
        let program: &Xdp = self.ebpf.program("source").context("no source")?.try_into()?;
        self.netns.run(|| {
            yield_to_all()?;
            let options = TestRunOptions {
                data_in: Some(&self.frame),
                repeat: packets,
                attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
                ..TestRunOptions::default()
            };
            program.test_run(options).context("BPF_PROG_TEST_RUN of live frames").map(drop)
        })
    }

    /// Nanoseconds a packet of each round that was over when the next one began. Of the source's own clock: what it
    /// takes to begin and to end is not in it.
    pub fn rounds(&self) -> Result<Vec<f64>> {
        let map = self.ebpf.map("SENT").context("the object has no SENT")?;
        let [sent, begun @ ..]: [u64; 1 + ROUNDS] = Array::try_from(map)?.get(&0, 0)?;
        let seen = usize::try_from(sent.div_ceil(u64::from(self.round)))?;
        ensure!(seen <= ROUNDS, "{sent} packets are too many rounds");
        let took = |pair: &[u64]| Duration::from_nanos(pair[1] - pair[0]).as_secs_f64() * 1e9;
        Ok(begun[..seen].windows(2).map(|pair| took(pair) / f64::from(self.round)).collect())
    }
}

impl Attached {
    /// Puts a program on an interface of the host.
    pub fn new(object: &[u8], name: &str, netns: &Netns, interface: &str) -> Result<Self> {
        Self::with(EbpfLoader::new().load(object)?, name, netns, interface)
    }

    /// The program that gives frames the addresses of this one and sends them by the interface of that number.
    pub fn floor(
        object: &[u8],
        frame: &[u8; LENGTH],
        out: u32,
        netns: &Netns,
        interface: &str,
    ) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        let template = template(frame);
        loader.override_global("FRAME", &template, true).override_global("OUT", &out, true);
        Self::with(loader.load(object)?, "floor", netns, interface)
    }

    /// How the last frame began that `look` saw.
    pub fn seen(&self) -> Result<Vec<u8>> {
        let map = self.0.map("SEEN_LAST").context("the object has no SEEN_LAST")?;
        let words: [u64; 7] = Array::try_from(map)?.get(&0, 0)?;
        Ok(words.map(u64::to_ne_bytes).concat())
    }

    fn with(mut ebpf: Ebpf, name: &str, netns: &Netns, interface: &str) -> Result<Self> {
        let program = xdp(&mut ebpf, name)?;
        program.load()?;
        netns
            .run(|| program.attach(interface, XdpMode::Driver))
            .with_context(|| format!("{name} on {interface}"))?;
        Ok(Self(ebpf))
    }
}

/// Lets this thread run only when nothing else wants to: what the kernel leaves to a thread of its own, it is to do
/// before more is sent. With one processor, frames would find their receiver's ring full.
fn yield_to_all() -> Result<()> {
    let thread = gettid().to_string();
    let status = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
    ensure!(status.context("cannot run chrt (util-linux)")?.success(), "chrt failed");
    Ok(())
}

fn template(frame: &[u8; LENGTH]) -> [u8; 64] {
    let mut template = [0; 64];
    template[..LENGTH].copy_from_slice(frame);
    template
}

fn xdp<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut Xdp> {
    let program = ebpf.program_mut(name).ok_or_else(|| anyhow!("the object has no {name}"))?;
    Ok(program.try_into()?)
}
