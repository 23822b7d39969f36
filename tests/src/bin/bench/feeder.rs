//! A program's packets, fed to it one after the other within the kernel.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, TestRunResult, Xdp},
};
use nix::time::{ClockId, clock_gettime};

use crate::frame::{LENGTH6, Segment};

/// What is fed.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    /// The packet of flow 0.
    pub segment: Segment,
    /// How many flows.
    pub flows: u32,
    /// In which order.
    pub order: Order,
    /// Not 0: the packets are replies of so many real servers, a power of two, by round robin from the
    /// packet's downward.
    pub real_servers: u32,
    /// Number of the interface that they come in by.
    pub ingress: u32,
}

/// The order of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From 0 on, each in its turn.
    Turn,
    /// At random.
    Random,
}

/// Room for a packet that has grown.
const ROOM: usize = 128;

/// What a program did with the last packet.
pub type Action = u32;
/// `XDP_PASS`.
pub const PASS: Action = 2;
/// `XDP_TX`.
pub const TX: Action = 3;
/// `XDP_REDIRECT`.
pub const REDIRECT: Action = 4;

/// What has to become of a packet.
#[derive(Clone, Copy, Debug)]
pub enum Sent {
    /// This frame.
    Frame(Segment),
    /// What this frame carries, behind headers of so many bytes.
    Inside(usize, Segment),
    /// A frame to a link-layer address that begins like this.
    To([u8; 4]),
}

/// What a run took, for all its packets together.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What became of the last packet.
    pub action: Action,
    /// CPU time of this thread, the system call's own included; time that others had the CPU is not.
    pub cpu_ns: f64,
    /// As the kernel's clock has it, without the system call's own.
    pub clock_ns: f64,
}

/// A feeder before a program.
pub struct Feeder {
    ebpf: Ebpf,
    /// Empty once nobody has it open.
    _target: ProgramArray<MapData>,
    packet: Vec<u8>,
    ingress: u32,
}

impl Feeder {
    /// Before this program, or before an empty one.
    pub fn new(object: &[u8], feed: &Feed, target: Option<&ProgramFd>) -> Result<Self> {
        let packet = feed.segment.frame();
        let mut template = [0u8; 80];
        const { assert!(2 + LENGTH6 <= 80) };
        template[2..2 + packet.len()].copy_from_slice(&packet);
        let length = u32::try_from(packet.len())?;
        let v6 = u32::from(feed.segment.is_v6());
        let random = u32::from(feed.order == Order::Random);
        let mut ebpf = EbpfLoader::new()
            .override_global("TEMPLATE", &template, true)
            .override_global("LENGTH", &length, true)
            .override_global("V6", &v6, true)
            .override_global("FLOWS", &feed.flows, true)
            .override_global("RANDOM", &random, true)
            .override_global("REAL_SERVERS", &feed.real_servers, true)
            .load(object)?;
        if feed.order == Order::Random {
            let state = ebpf.map_mut("STATE").context("the object has no STATE")?;
            Array::try_from(state)?.set(0, 0x9e37_79b9_7f4a_7c15u64, 0)?;
        }
        xdp(&mut ebpf, "feed")?.load()?;
        let mut array = ProgramArray::try_from(ebpf.take_map("TARGET").context("no TARGET")?)?;
        if let Some(program) = target {
            array.set(0, program, 0)?;
        } else {
            let stub = xdp(&mut ebpf, "stub")?;
            stub.load()?;
            array.set(0, stub.fd()?, 0)?;
        }
        Ok(Self { ebpf, _target: array, packet, ingress: feed.ingress })
    }

    /// Feeds so many packets.
    pub fn run(&self, packets: u32) -> Result<Run> {
        let start = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
        let (result, _) = self.test_run(packets)?;
        let cpu = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)? - start);
        Ok(Run {
            action: result.return_value,
            cpu_ns: cpu.as_secs_f64() * 1e9,
            clock_ns: result.duration.as_secs_f64() * 1e9 * f64::from(packets),
        })
    }

    /// Feeds one packet, and fails unless just this comes of it.
    pub fn expect(&self, action: Action, sent: &Sent) -> Result<()> {
        let (result, bytes) = self.test_run(1)?;
        let found = result.return_value;
        ensure!(found == action, "the program's action is {found}, not {action}");
        let (came, expected) = match sent {
            Sent::Frame(segment) => (&bytes[..], segment.frame()),
            Sent::Inside(outer, segment) => {
                let frame = segment.frame();
                (bytes.get(14 + outer..).unwrap_or_default(), frame[14..].to_vec())
            }
            Sent::To(address) => (bytes.get(..4).unwrap_or_default(), address.to_vec()),
        };
        ensure!(came == expected, "this came out:\n{came:02x?}\nand not\n{expected:02x?}");
        Ok(())
    }

    fn test_run(&self, repeat: u32) -> Result<(TestRunResult, Vec<u8>)> {
        let program: &Xdp = self.ebpf.program("feed").context("no feeder")?.try_into()?;
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
        let length = u32::try_from(self.packet.len())?;
        let context = [0, length, 0, self.ingress, 0, 0].map(u32::to_ne_bytes).concat();
        let mut out = vec![0; ROOM];
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(&self.packet),
                data_out: Some(&mut out),
                ctx_in: Some(&context),
                repeat,
                ..TestRunOptions::default()
            })
            .context("BPF_PROG_TEST_RUN")?;
        out.truncate(result.data_size_out as usize);
        Ok((result, out))
    }
}

/// A program of an object.
pub fn xdp<'e>(ebpf: &'e mut Ebpf, name: &str) -> Result<&'e mut Xdp> {
    let program = ebpf.program_mut(name).ok_or_else(|| anyhow!("the object has no {name}"))?;
    Ok(program.try_into()?)
}
