//! The axes of the matrix, and its table.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use lvs_tests::rig::{DIP, DIP6};

/// How a packet gets to the real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Direct routing.
    Dr,
    /// Masquerading.
    Nat,
    /// A packet in a packet.
    Ipip,
    /// In UDP.
    Gue,
    /// In GRE.
    Gre,
}

/// Of the service and of the real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What the packets are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
}

/// What is special about the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// Nothing.
    Small,
    /// It just fits the way to the real server.
    Full,
    /// It does not.
    Over,
    /// It comes in pieces.
    Fragments,
    /// It is an error for the real server.
    ErrorIn,
    /// It is an error for the client.
    ErrorOut,
}

impl Method {
    /// All.
    pub const ALL: [Self; 5] = [Self::Dr, Self::Nat, Self::Ipip, Self::Gue, Self::Gre];

    /// As `ipvsadm -a` takes it.
    pub const fn flags(self) -> &'static str {
        match self {
            Self::Dr => "-g",
            Self::Nat => "-m",
            Self::Ipip => "-i",
            Self::Gue => "-i --tun-type gue --tun-port 5555",
            Self::Gre => "-i --tun-type gre",
        }
    }

    /// Bytes that are added before the packet, the outer IP header not counted; none without one.
    pub const fn wrap(self) -> Option<usize> {
        match self {
            Self::Dr | Self::Nat => None,
            Self::Ipip => Some(0),
            Self::Gue => Some(12),
            Self::Gre => Some(4),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Dr => "DR",
            Self::Nat => "NAT",
            Self::Ipip => "TUN ipip",
            Self::Gue => "TUN gue",
            Self::Gre => "TUN gre",
        }
    }
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Bytes of its header.
    pub const fn header(self) -> usize {
        match self {
            Self::V4 => 20,
            Self::V6 => 40,
        }
    }

    /// The director's address toward real servers.
    pub const fn dip(self) -> IpAddr {
        match self {
            Self::V4 => DIP,
            Self::V6 => DIP6,
        }
    }

    /// An address and port, by family.
    pub fn at(self, v4: &str, v6: &str, port: u16) -> SocketAddr {
        let address = match self {
            Self::V4 => v4,
            Self::V6 => v6,
        };
        SocketAddr::new(address.parse().expect("an address of the matrix"), port)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

impl Protocol {
    /// All.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// A service of it, as ipvsadm takes it.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Tcp => "-t",
            Self::Udp => "-u",
            Self::Sctp => "--sctp-service",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl Situation {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Small, Self::Full, Self::Over, Self::Fragments, Self::ErrorIn, Self::ErrorOut];

    const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Full => "MTU",
            Self::Over => "over MTU",
            Self::Fragments => "fragments",
            Self::ErrorIn => "ICMP in",
            Self::ErrorOut => "ICMP out",
        }
    }
}

/// One field of the matrix.
pub type Cell = (Method, Family, Protocol, Situation);

/// How it was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Frames through the loaded program, compared to the byte.
    Frames,
    /// Sockets in network namespaces.
    Traffic,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Matrix {
    proofs: BTreeMap<Cell, Vec<Proof>>,
    failures: Vec<String>,
}

impl Matrix {
    /// Notes how a cell went.
    pub fn note(&mut self, cell: Cell, proof: Proof, went: Result<(), String>) {
        match went {
            Ok(()) => self.proofs.entry(cell).or_default().push(proof),
            Err(why) => {
                let (method, family, protocol, situation) = cell;
                self.failures.push(format!(
                    "{} {} {} {} ({proof:?}): {why}",
                    method.name(),
                    family.name(),
                    protocol.name(),
                    situation.name()
                ));
            }
        }
    }

    /// Notes what went wrong beside the cells.
    pub fn fail(&mut self, why: String) {
        self.failures.push(why);
    }

    /// Both together.
    pub fn merge(&mut self, other: Self) {
        for (cell, proofs) in other.proofs {
            self.proofs.entry(cell).or_default().extend(proofs);
        }
        self.failures.extend(other.failures);
    }

    /// What went wrong, empty cells included.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = self.failures.clone();
        for cell in cells() {
            if !self.proofs.contains_key(&cell) && failures.is_empty() {
                failures.push(format!("{cell:?} is empty"));
            }
        }
        failures
    }

    /// Proofs, counted.
    pub fn count(&self) -> usize {
        self.proofs.values().map(Vec::len).sum()
    }

    /// The table: F for frames compared to the byte, T for traffic of real sockets, - for an empty cell.
    pub fn table(&self) -> String {
        let mut text = format!("{:9} {:5} {:5}", "", "", "");
        for situation in Situation::ALL {
            write!(text, " {:>9}", situation.name()).expect("a string takes all");
        }
        text.push('\n');
        for method in Method::ALL {
            for family in Family::ALL {
                for protocol in Protocol::ALL {
                    let names = (method.name(), family.name(), protocol.name());
                    write!(text, "{:9} {:5} {:5}", names.0, names.1, names.2)
                        .expect("a string takes all");
                    for situation in Situation::ALL {
                        let shown = self.shown((method, family, protocol, situation));
                        write!(text, " {shown:>9}").expect("a string takes all");
                    }
                    text.push('\n');
                }
            }
        }
        text
    }

    fn shown(&self, cell: Cell) -> String {
        let mut proofs = self.proofs.get(&cell).cloned().unwrap_or_default();
        proofs.sort_unstable();
        proofs.dedup();
        let letters: Vec<_> = proofs
            .into_iter()
            .map(|proof| match proof {
                Proof::Frames => "F",
                Proof::Traffic => "T",
            })
            .collect();
        if letters.is_empty() { "-".to_owned() } else { letters.join("+") }
    }
}

/// All fields.
pub fn cells() -> impl Iterator<Item = Cell> {
    Method::ALL.into_iter().flat_map(|method| {
        Family::ALL.into_iter().flat_map(move |family| {
            Protocol::ALL.into_iter().flat_map(move |protocol| {
                Situation::ALL.into_iter().map(move |it| (method, family, protocol, it))
            })
        })
    })
}
