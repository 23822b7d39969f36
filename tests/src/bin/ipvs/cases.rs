//! The lines of the table: who forwards what, and measuring it.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lvs_tests::{netns::Netns, prelude::*};

use crate::{
    bed::{self, Bed, CLIENT, CLIENT_SIDE, RIP, SERVER, SERVER_SIDE, VIP},
    frame::{Arrival, datagram},
    programs::{Attached, Flows, Source},
    report::{Report, Row},
};

/// Rounds that count.
const ROUNDS: u32 = 7;

/// The beginning of the addresses that are ours to send to, and beyond the director for plain forwarding.
const VIPS: &str = "192.168.4.0/24";

/// Who forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The kernel, as a router.
    Router,
    /// The kernel's IPVS.
    Ipvs,
    /// The kernel's connection tracking, told by nftables.
    Dnat,
    /// The director.
    Director,
    /// A program of a dozen instructions.
    Floor,
}

/// Who is put beside the director, and with that the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rival {
    /// The kernel's IPVS, where a clock counts instructions.
    Ipvs,
    /// The kernel's connection tracking, on whatever this machine is.
    Dnat,
}

/// What ends packets at the real server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The kernel makes a packet of its own of each frame, and drops it before the stack.
    Packets,
    /// An XDP program drops frames: nothing is made of them, as where a network card sends them.
    Frames,
}

/// A forwarding method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Direct routing.
    Dr,
    /// Masquerading.
    Nat,
    /// IP in IP.
    Tun,
}

/// All that is measured.
pub struct Bench<'o> {
    object: &'o [u8],
    /// Packets of a round.
    round: u32,
    /// Networks of clients that have been used.
    networks: u8,
}

type Measure = fn(&mut Bench<'_>, &mut Vec<Row>) -> Result<()>;

/// What is sent and has to arrive.
#[derive(Clone, Copy)]
struct Way {
    by: By,
    method: Option<Method>,
    flows: Flows,
    sink: Sink,
}

impl Method {
    /// Of the table.
    const ALL: [Self; 3] = [Self::Dr, Self::Nat, Self::Tun];

    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dr => "DR",
            Self::Nat => "NAT",
            Self::Tun => "TUN",
        }
    }

    const fn flag(self) -> &'static str {
        match self {
            Self::Dr => "-g",
            Self::Nat => "-m",
            Self::Tun => "-i",
        }
    }
}

impl Sink {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Packets, Self::Frames];
}

impl Flows {
    /// Of established connections.
    const FEW: [Self; 2] = [Self::Some(1), Self::Some(1024)];
    const ALL: [Self; 3] = [Self::Some(1), Self::Some(1024), Self::Ever];
}

impl<'o> Bench<'o> {
    /// With the programs of this object, so many packets a round: a power of two.
    pub fn new(object: &'o [u8], round: u32) -> Result<Self> {
        ensure!(round.is_power_of_two(), "{round} packets a round are no power of two");
        Ok(Self { object, round, networks: 0 })
    }

    /// Measures everything, or what only one of them forwards.
    pub fn run(mut self, rival: Rival, only: Option<By>) -> Result<Report> {
        let beside: (By, Measure) = match rival {
            Rival::Ipvs => (By::Ipvs, |bench, rows| bench.ipvs(rows)),
            Rival::Dnat => (By::Dnat, |bench, rows| bench.dnat(rows)),
        };
        let all: [(By, Measure); 4] = [
            (By::Floor, |bench, rows| bench.floor(rows)),
            (By::Router, |bench, rows| bench.router(rows)),
            beside,
            (By::Director, |bench, rows| bench.director(rows)),
        ];
        let mut rows = Vec::new();
        for (by, measure) in all.iter().filter(|(by, _)| only.is_none_or(|only| only == *by)) {
            measure(&mut self, &mut rows).with_context(|| format!("{by:?}"))?;
        }
        Ok(Report::new(rival, self.round * ROUNDS, rows))
    }

    fn router(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        let bed = Bed::new()?;
        bed.director().ip(&[format!("route add {VIPS} via {RIP}")])?;
        for flows in Flows::FEW {
            for sink in Sink::ALL {
                let way = Way { by: By::Router, method: None, flows, sink };
                rows.push(self.measure(&bed, way)?);
            }
        }
        Ok(())
    }

    /// Over new hosts each time: connections that are there already make IPVS's lists longer.
    fn ipvs(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        for method in Method::ALL {
            for flows in Flows::ALL {
                for sink in Sink::ALL {
                    let bed = Bed::new()?;
                    let director = bed.director();
                    director.ip(&[format!("route add local {VIPS} dev lo")])?;
                    for line in rules(method) {
                        let words: Vec<_> =
                            ["ipvsadm"].into_iter().chain(line.split(' ')).collect();
                        director.exec(&words)?;
                    }
                    is_the_kernels(director)?;
                    let way = Way { by: By::Ipvs, method: Some(method), flows, sink };
                    rows.push(self.measure(&bed, way)?);
                }
            }
        }
        Ok(())
    }

    /// Over new hosts each time, as IPVS.
    fn dnat(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        for flows in Flows::ALL {
            for sink in Sink::ALL {
                let bed = Bed::new()?;
                let to_nat = "type nat hook prerouting priority dstnat;";
                let rule = format!("ip daddr {VIP} udp dport 53 dnat to {RIP};");
                let table = format!("table ip lvs {{ chain requests {{ {to_nat} {rule} }}; }}");
                bed.director().exec(&["nft", &table])?;
                let way = Way { by: By::Dnat, method: Some(Method::Nat), flows, sink };
                rows.push(self.measure(&bed, way)?);
            }
        }
        Ok(())
    }

    fn floor(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        let bed = Bed::new()?;
        let out = bed::number(bed.director(), "eth1")?;
        let frame = datagram((SERVER_SIDE, SERVER), RIP, RIP);
        let _floor = Attached::floor(self.object, &frame, out, bed.director(), "eth0")?;
        for sink in Sink::ALL {
            let way = Way { by: By::Floor, method: None, flows: Flows::Some(1), sink };
            rows.push(self.measure(&bed, way)?);
        }
        Ok(())
    }

    /// With one controller throughout: what it has of connections does not matter to others.
    fn director(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        let bed = Bed::new()?;
        // All that the cases open, however unevenly it falls on the table.
        let cases = u32::try_from(Method::ALL.len() * Sink::ALL.len())?;
        let director = bed.controller(self.round * (1 + ROUNDS) * cases * 4)?;
        for method in Method::ALL {
            for flows in Flows::ALL {
                director.ipvsadm("-C")?;
                for line in rules(method) {
                    director.ipvsadm(&line)?;
                }
                director.wait_until_resolved()?;
                for sink in Sink::ALL {
                    let way = Way { by: By::Director, method: Some(method), flows, sink };
                    let row = self.measure(&bed, way);
                    rows.push(
                        row.or_else(|error| Err(error.context(director.lvs_ctl("status")?)))?,
                    );
                }
            }
        }
        Ok(())
    }

    fn measure(&mut self, bed: &Bed, way: Way) -> Result<Row> {
        let Way { by, method, flows, sink } = way;
        self.networks += 1;
        let source = Ipv4Addr::new(10, self.networks, 0, u8::from(flows != Flows::Ever));
        let frame = datagram((CLIENT, CLIENT_SIDE), source, VIP);
        let out = bed::number(bed.clients(), "eth0")?;
        let look = Attached::new(self.object, "look", bed.servers(), "eth0")?;
        // A drop is fast: first it is seen that packets arrive, and as what.
        let from = (bed.clients(), out);
        through(bed, &Source::new(self.object, from, frame, flows, self.round)?, 1)?;
        way.arrival().check(&look.seen()?)?;
        drop(look);
        let _sink = match sink {
            Sink::Packets => None,
            Sink::Frames => Some(Attached::new(self.object, "sink", bed.servers(), "eth0")?),
        };
        let source = Source::new(self.object, from, frame, flows, self.round)?;
        // In the first round connections are opened, and the emulator sees for the first time what runs.
        through(bed, &source, self.round * (1 + ROUNDS) + 1)?;
        let cost = median(source.rounds()?.split_off(1));
        let row = Row { by, method, flows, sink, cost };
        eprintln!("bench: {row}");
        Ok(row)
    }
}

impl Way {
    fn arrival(&self) -> Arrival {
        let destination = match self.method {
            None | Some(Method::Dr) => VIP,
            Some(Method::Nat | Method::Tun) => RIP,
        };
        let inside = (self.method == Some(Method::Tun)).then_some(VIP);
        Arrival { link: (SERVER_SIDE, SERVER), destination, inside }
    }
}

/// What is typed, to either: a service of one real server.
fn rules(method: Method) -> [String; 2] {
    let flag = method.flag();
    [format!("-A -u {VIP}:53 -s rr"), format!("-a -u {VIP}:53 -r {RIP}:53 {flag}")]
}

/// Sends packets, all of which must arrive.
fn through(bed: &Bed, source: &Source<'_>, packets: u32) -> Result<()> {
    let before = bed.arrived()?;
    source.send(packets)?;
    let expected = before + u64::from(packets);
    let what = format!("{packets} packets arrive");
    let all = || bed.arrived().ok().filter(|arrived| *arrived >= expected);
    let waited = eventually(&what, Duration::from_secs(5), all);
    let arrived = waited.or_else(|_| bed.arrived())?;
    ensure!(arrived == expected, "{packets} were sent, {} arrived", arrived - before);
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Fails unless it was the kernel that was told.
fn is_the_kernels(netns: &Netns) -> Result<()> {
    let table = netns.run(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs"))?;
    // As the kernel writes 192.168.4.5:53.
    ensure!(table.contains("C0A80405:0035"), "ipvsadm did not tell the kernel:\n{table}");
    Ok(())
}
