//! NAT, masquerading (`ip_vs_nat_xmit`, `ip_vs_out)`: requests go to the real server's address and port,
//! replies come from the VIP and its port.

use lvs_common::{
    net::{Be16, checksum::Edit},
    verdict::{Reason, Verdict},
    wire::{Frame, Sctp, Tcp, Udp},
};

use super::send::{self, BROKEN};
use crate::{
    connection::Connection,
    ip::{End, Ip, NETWORK},
    packet::{Packet, Part},
    tables::{Route, Tables},
};

/// Client to real server.
#[inline(always)]
pub(super) fn request<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let dest = tables.dest(connection.dest).ok_or(BROKEN)?;
    let address = T::Address::narrow(dest.address);
    let keeps_port = connection.keeps_port || dest.port == Be16::new(0);
    let port = if keeps_port { packet.destination_port } else { dest.port };
    let hop = send::hop(connection.next_hop, tables)?;
    if needs_stack(frame, packet, hop.mtu, tables)? {
        rewrite(frame, packet, End::Destination, address, port, tables)?;
        return Ok(Verdict::Pass(Reason::ByStack));
    }
    T::Address::age(frame)?;
    rewrite(frame, packet, End::Destination, address, port, tables)?;
    send::out(frame, hop)
}

/// Real server to client.
#[inline(always)]
pub(crate) fn reply<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    (address, port): (T::Address, Be16),
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let hop = match tables.route(address, packet.destination) {
        Route::Hop(hop) if !needs_stack(frame, packet, hop.mtu, tables)? => hop,
        Route::Hop(_) | Route::NoNeighbour => {
            rewrite(frame, packet, End::Source, address, port, tables)?;
            return Ok(Verdict::Pass(Reason::ByStack));
        }
        Route::None => return Err(Verdict::Drop(Reason::NoRoute)),
    };
    T::Address::age(frame)?;
    rewrite(frame, packet, End::Source, address, port, tables)?;
    send::out(frame, &hop)
}

/// Whether only the stack can split what is larger than the link takes: merged segments, as a generic hook
/// sees them, or a packet that may be cut into fragments.
///
/// # Errors
/// It must not be split.
#[inline(always)]
fn needs_stack<F: Frame, T: Tables>(
    frame: &F,
    packet: &Packet<T::Address>,
    mtu: u32,
    tables: &T,
) -> Result<bool, Verdict> {
    if u32::from(packet.bytes) <= mtu {
        return Ok(false);
    }
    if tables.is_generic() || T::Address::may_be_cut(T::Address::carried(frame, NETWORK)?) {
        return Ok(true);
    }
    Err(Verdict::Drop(Reason::OverMtu))
}

/// Gives the packet another address and port at one of its ends.
#[inline(always)]
pub(crate) fn rewrite<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    end: End,
    address: T::Address,
    port: Be16,
    tables: &T,
) -> Result<(), Verdict> {
    let (old_address, old_port) = match end {
        End::Source => (packet.source, packet.source_port),
        End::Destination => (packet.destination, packet.destination_port),
    };
    let addresses = T::Address::edit(old_address, address);
    address.readdress(frame, end, addresses)?;
    if packet.part == Part::Later {
        // The first fragment has the ports and the checksum.
        return Ok(());
    }

    let check = Check { packet, addresses, all: addresses.half(old_port, port) };
    if packet.is_tcp() {
        let tcp = frame.at_mut::<Tcp>(packet.transport).ok_or(BROKEN)?;
        tcp.check = check.tcp(tcp.check, tables);
        match end {
            End::Source => tcp.source = port,
            End::Destination => tcp.destination = port,
        }
    } else if !packet.is_udp() {
        return sctp(frame, packet, end, (old_port, port), tables);
    } else {
        let udp = frame.at_mut::<Udp>(packet.transport).ok_or(BROKEN)?;
        udp.check = check.udp(udp.check, tables);
        match end {
            End::Source => udp.source = port,
            End::Destination => udp.destination = port,
        }
    }
    Ok(())
}

/// SCTP covers no addresses, and ports by a CRC.
#[inline(always)]
fn sctp<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    end: End,
    (old_port, port): (Be16, Be16),
    tables: &T,
) -> Result<(), Verdict> {
    if old_port == port {
        return Ok(());
    }
    if packet.part != Part::Whole {
        // How many bytes are behind the ports only the last fragment tells.
        return Err(Verdict::Drop(Reason::FragmentCrc));
    }
    let sctp = frame.at_mut::<Sctp>(packet.transport).ok_or(BROKEN)?;
    let half = u32::from(old_port.raw() ^ port.raw());
    let edit = match end {
        End::Source => {
            sctp.source = port;
            half
        }
        End::Destination => {
            sctp.destination = port;
            half << 16
        }
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most the packet's length")]
    let before = (packet.transport - NETWORK + size_of_val(&edit)) as u16;
    let crc = u32::from_le_bytes(sctp.check);
    let difference = tables.crc(edit, packet.bytes.wrapping_sub(before));
    sctp.check = (crc ^ difference).to_le_bytes();
    Ok(())
}

/// How a transport checksum follows the rewriting.
struct Check<'a, A> {
    packet: &'a Packet<A>,
    addresses: Edit,
    all: Edit,
}

impl<A: Ip> Check<'_, A> {
    #[inline(always)]
    fn tcp<T: Tables>(&self, check: Be16, tables: &T) -> Be16 {
        if self.is_partial(check, tables) {
            return self.addresses.apply_partial(check);
        }
        self.all.apply(check)
    }

    #[inline(always)]
    fn udp<T: Tables>(&self, check: Be16, tables: &T) -> Be16 {
        if check == Be16::new(0) {
            // RFC 768: the sender made none, and none is needed.
            return check;
        }
        if self.is_partial(check, tables) {
            return self.addresses.apply_partial(check);
        }
        self.all.apply_udp(check)
    }

    /// Whether the sender left the sum over the pseudo-header for its card to finish. Only a generic
    /// hook sees such packets and hands them on as such.
    #[inline(always)]
    fn is_partial<T: Tables>(&self, check: Be16, tables: &T) -> bool {
        tables.is_generic()
            && self.packet.part == Part::Whole
            && check.raw() == self.packet.pseudo()
    }
}
