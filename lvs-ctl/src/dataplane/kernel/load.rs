//! The program: loaded over new maps, or over those that another controller left.

use std::{io, path::PathBuf, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, MapFd},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use lvs_common::{
    ABI_VERSION, conntable,
    map::{Tunables, name, probe},
    tcp_state,
};

use super::{
    KernelError,
    attach::Hook,
    clock::{self, Clock, Reading},
    mapped::Mapped,
    pins::{Pins, SHAPES},
    programs::{self, Edition, Place},
    whole::Whole,
};

/// The object, built with the controller.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lvs"));

/// How a data plane is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its pins are, below a bpffs.
    pub pin_dir: PathBuf,
    /// Connections that are expected at a time; the table has twice as many places. An adopted table
    /// keeps its size.
    pub connections: u32,
    /// The same for the table of IPv6.
    pub connections6: u32,
}

/// What all programs of a director share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) buckets: u32,
    pub(super) buckets6: u32,
    pub(super) seed: [u64; 2],
    pub(super) shift: u32,
}

/// How much of the way an object's rest has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Bare,
    Whole,
}

/// A loaded object, the settings and the clock.
pub(super) struct Loaded {
    pub(super) ebpf: Ebpf,
    pub(super) whole: Whole,
    pub(super) common: Common,
    pub(super) tunables: Mapped,
    pub(super) clock: Clock,
    pub(super) adopted: bool,
}

impl Common {
    fn place(self, pins: &Pins, hook: Hook) -> Place {
        Place { pins: pins.clone(), hook, edition: Edition::of(OBJECT, self) }
    }
}

/// Loads the program over the pinned maps, which are made if there are none.
pub(super) fn load(options: &Options, pins: &Pins) -> Result<Loaded, KernelError> {
    let adopted = pins.inspect()?;
    let jiffy = jiffy()?;
    let shift = clock::shift_for(jiffy);
    let common = match adopted {
        Some([buckets, buckets6]) => Common { buckets, buckets6, seed: adopted_seed(pins)?, shift },
        None => Common {
            buckets: buckets(options.connections),
            buckets6: buckets(options.connections6),
            seed: random_seed()?,
            shift,
        },
    };
    // What is adopted forwards already, with all there is to it.
    let (mut ebpf, whole) = match adopted {
        Some(_) => (program(pins, common, Hook::Native)?, Whole::default()),
        None => begun(pins, common)?,
    };
    let tunables =
        Mapped::new(fd(&ebpf, name::TUNABLES)?, size_of::<Tunables>() / size_of::<u64>())
            .map_err(|source| KernelError::call("mmap", name::TUNABLES, source))?;
    let reading = read_clocks(&mut ebpf)?;
    let clock = Clock::new(reading, jiffy).ok_or(KernelError::Clock(jiffy))?;
    if adopted.is_none() {
        tunables.write(0, &first_tunables(common, &clock));
    }
    let clock = clock.with(&tunables.read(0));
    let adopted = adopted.is_some();
    Ok(Loaded { ebpf, whole, common, tunables, clock, adopted })
}

/// Loads the object over the pinned maps, with its programs ready to run.
pub(super) fn program(pins: &Pins, common: Common, hook: Hook) -> Result<Ebpf, KernelError> {
    let place = common.place(pins, hook);
    let mut ebpf = object(&place, common, Extent::Whole)?;
    place.fill(&mut ebpf)?;
    trim();
    Ok(ebpf)
}

/// The same of the native hook, as far as connections of IPv4 need it; the rest comes soon.
pub(super) fn begun(pins: &Pins, common: Common) -> Result<(Ebpf, Whole), KernelError> {
    let place = common.place(pins, Hook::Native);
    let mut ebpf = object(&place, common, Extent::Bare)?;
    place.begin(&mut ebpf)?;
    let rest = move || {
        let completed = place.complete(&mut object(&place, common, Extent::Whole)?);
        trim();
        completed
    };
    Ok((ebpf, Whole::after(rest)?))
}

/// Gives back to the system what loading took.
fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn object(place: &Place, common: Common, extent: Extent) -> Result<Ebpf, KernelError> {
    let generic = u32::from(place.hook == Hook::Generic);
    let whole = u32::from(extent == Extent::Whole);
    let mut loader = EbpfLoader::new();
    loader
        .override_global("BUCKETS", &common.buckets, true)
        .override_global("BUCKETS6", &common.buckets6, true)
        .override_global("SEED_A", &common.seed[0], true)
        .override_global("SEED_B", &common.seed[1], true)
        .override_global("TICK_SHIFT", &common.shift, true)
        .override_global("GENERIC", &generic, true)
        .override_global("WHOLE", &whole, true)
        .map_max_entries(name::CONNS, common.buckets)
        .map_max_entries(name::CONNS6, common.buckets6);
    for shape in &SHAPES {
        loader.map_pin_path(shape.name, place.pins.map(shape.name));
    }
    loader.load(OBJECT).map_err(|error| KernelError::load(&error))
}

/// A program of the object.
pub(super) fn xdp<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Xdp, KernelError> {
    let program = ebpf.program_mut(name).ok_or(KernelError::Missing(name))?;
    program.try_into().map_err(|error| KernelError::program(&error))
}

/// A map of the object, by its descriptor.
pub(super) fn fd<'e>(ebpf: &'e Ebpf, name: &'static str) -> Result<&'e MapFd, KernelError> {
    match ebpf.map(name) {
        Some(Map::Array(data)) => Ok(data.fd()),
        _ => Err(KernelError::Missing(name)),
    }
}

/// Has the kernel run the program that reads its clocks.
fn read_clocks(ebpf: &mut Ebpf) -> Result<Reading, KernelError> {
    let program = xdp(ebpf, "clocks")?;
    programs::verify(program)?;
    let (frame, mut answer) = ([0u8; 64], [0u8; 64]);
    program
        .test_run(TestRunOptions {
            data_in: Some(&frame),
            data_out: Some(&mut answer),
            ..TestRunOptions::default()
        })
        .map_err(|error| KernelError::program(&error))?;
    let [jiffies, nanoseconds, ..] = bytemuck::cast::<[u8; 64], [u64; 8]>(answer);
    Ok(Reading { jiffies, monotonic: Duration::from_nanos(nanoseconds) })
}

/// The length of a jiffy: what the coarse clocks move by.
fn jiffy() -> Result<Duration, KernelError> {
    let resolution =
        nix::time::clock_getres(nix::time::ClockId::CLOCK_MONOTONIC_COARSE).map_err(|errno| {
            KernelError::call("clock_getres", "CLOCK_MONOTONIC_COARSE", errno.into())
        })?;
    Ok(resolution.into())
}

/// Buckets for so many connections: half of the places stay free.
fn buckets(connections: u32) -> u32 {
    let places = u64::from(connections) * 2;
    u32::try_from(places.div_ceil(conntable::WAYS as u64)).unwrap_or(u32::MAX).max(64)
}

fn adopted_seed(pins: &Pins) -> Result<[u64; 2], KernelError> {
    let path = pins.map(name::TUNABLES);
    let map = MapData::from_pin(&path).map_err(|error| KernelError::foreign(&path, error))?;
    let mapped = Mapped::new(map.fd(), size_of::<Tunables>() / size_of::<u64>())
        .map_err(|source| KernelError::call("mmap", name::TUNABLES, source))?;
    let tunables: Tunables = mapped.read(0);
    if tunables.abi_version != ABI_VERSION {
        return Err(KernelError::foreign(
            &path,
            format!("its version is {}", tunables.abi_version),
        ));
    }
    Ok(tunables.seed)
}

fn random_seed() -> Result<[u64; 2], KernelError> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| io::Read::read_exact(&mut random, &mut bytes))
        .map_err(|source| KernelError::file("read", "/dev/urandom".as_ref(), source))?;
    Ok(bytemuck::cast(bytes))
}

/// As long as lblc and lblcr remember an address.
const DAY_S: u32 = 86_400;

fn first_tunables(common: Common, clock: &Clock) -> Tunables {
    let ticks_per_second = clock.ticks_per_second();
    Tunables {
        abi_version: ABI_VERSION,
        clock_offset: 0,
        ticks_per_second,
        buckets: common.buckets,
        seed: common.seed,
        timeouts: tcp_state::default_timeouts(ticks_per_second),
        conn_reuse_mode: 1,
        sloppy_tcp: 0,
        expire_nodest_conn: 0,
        expire_quiescent_template: 0,
        secure_tcp: 0,
        lblc_expiration: DAY_S.saturating_mul(ticks_per_second),
        lblcr_expiration: DAY_S.saturating_mul(ticks_per_second),
        marks: 0,
        kinds: 0,
        sloppy_sctp: 0,
        knows_macs: 0,
        probes: 0,
        stand_ins: probe::NETWORK_V4,
        stand_ins6: probe::NETWORK_V6,
        pad: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_twice_the_places_of_the_connections_expected() {
        assert_eq!(buckets(131_072), 32_768);
        assert_eq!(buckets(1), 64);
        assert_eq!(buckets(10_000_000), 2_500_000);
        assert_eq!(buckets(134_217_728), 33_554_432);
    }
}
