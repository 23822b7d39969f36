//! Every way out of the packet's way.

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Back out of the interface it came in by.
    Transmit,
    /// Out of the interface of this number.
    Redirect(u32),
    /// On to the host's own stack.
    Pass(Reason),
    /// Gone.
    Drop(Reason),
}

/// Declares the reasons: number, name in statistics, and which packets end there.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal;)+) => {
        /// Why a frame was not forwarded. Each has a counter, by number, in `REASONS`.
        #[repr(u8)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Reason { $($(#[doc = $doc])+ $variant = $number,)+ }

        impl Reason {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in statistics and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Which packets end there, in a sentence.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+),)+ }
            }
        }
    };
}

reasons! {
    /// Passed: neither IPv4 nor IPv6 (ARP, LLDP, …).
    NotIp = 0, "not_ip";
    /// Passed: carries more than two VLAN tags.
    Tagged = 1, "tagged";
    /// Passed: ends before its headers do, or the headers lie about their length.
    Malformed = 2, "malformed";
    /// Passed: a fragment that is of no service's datagram, or of one whose first fragment was passed.
    Fragment = 3, "fragment";
    /// Passed: neither to a VIP nor from a masqueraded real server.
    NotOurs = 4, "not_ours";
    /// Passed: of a protocol that no service has (ICMP echo, for instance), or that IPv6 hides behind extension headers.
    OtherProtocol = 5, "other_protocol";
    /// Passed: to a VIP, but no service has the port.
    NoService = 6, "no_service";
    /// Passed: to a service, without a connection, and of a kind that opens none: TCP without SYN, or from port 20.
    NotSchedulable = 7, "not_schedulable";
    /// Passed: from a masqueraded real server, but of no connection.
    NotReply = 8, "not_reply";
    /// Dropped: the scheduler found no real server that takes connections.
    NoDest = 9, "no_dest";
    /// Dropped: its connection's real server has been removed.
    DestRemoved = 10, "dest_removed";
    /// Dropped: the next hop toward the real server is not known.
    NoNextHop = 11, "no_next_hop";
    /// Dropped: no route to the client.
    NoRoute = 12, "no_route";
    /// Dropped: its time to live ends at the director.
    TtlExpired = 13, "ttl_expired";
    /// Dropped: larger than the next link takes.
    OverMtu = 14, "over_mtu";
    /// Dropped: the connection table has no place for a new connection.
    TableFull = 15, "table_full";
    /// Dropped: two CPUs opened connections of one client at once, or another IPv6 client's connection has its place; the client sends again.
    Racing = 16, "racing";
    /// Passed after rewriting, if any is needed: the stack sends it, since its neighbour is not known yet, the frame is larger than one segment, or the way is none that the program knows.
    ByStack = 17, "by_stack";
    /// Dropped: tables contradict each other; never in a sound director.
    Broken = 18, "broken";
    /// Dropped: its driver leaves no room before the frame for a tunnel's outer headers.
    NoHeadroom = 19, "no_headroom";
    /// Passed: an ICMP error that is about no connection here.
    Unrelated = 20, "unrelated";
    /// Dropped: an ICMP error about a connection, with a wrong checksum.
    BadChecksum = 21, "bad_checksum";
    /// Passed: its real server is the director itself.
    Local = 22, "local";
    /// Dropped: by NAT to another port of the director itself, whose answers nobody would translate back.
    LocalPort = 23, "local_port";
    /// Passed: it would begin a connection, but its link-layer address is none of the director's: a flooded frame, or a group's.
    NotHost = 24, "not_host";
    /// Dropped: a first fragment without all of its transport header, or a later one that begins within it (RFC 1858, RFC 7112).
    FragmentTiny = 25, "fragment_tiny";
    /// Dropped: a fragment that overlaps others, or contradicts them about the datagram's end; the datagram is given up (RFC 5722).
    FragmentOverlap = 26, "fragment_overlap";
    /// Dropped: a fragment that has come before.
    FragmentDuplicate = 27, "fragment_duplicate";
    /// Dropped: a fragment that no datagram has: empty, of no whole eights before the last, beyond 65 535 bytes, or leaving more than 16 gaps.
    FragmentEndless = 28, "fragment_endless";
    /// Dropped: a fragment of a datagram that was given up, or whose first fragment was dropped.
    FragmentRefused = 29, "fragment_refused";
    /// Dropped: a fragment that came before the first of its datagram, which alone tells the ports, and was held in vain, or for which there was no room.
    FragmentEarly = 30, "fragment_early";
    /// Dropped: a fragment of SCTP to or from a real server's other port; the CRC of the whole cannot follow.
    FragmentCrc = 31, "fragment_crc";
    /// Dropped: on the device of health checks, but to no real server's stand-in, or of a protocol that none is checked by.
    NoStandIn = 32, "no_stand_in";
    /// Dropped: a health check for which the director has no address of its own toward the real server.
    NoOwnAddress = 33, "no_own_address";
    /// Dropped: a health check's own packet, sent back by a real server that does not have the VIP.
    ProbeLooped = 34, "probe_looped";
    /// Dropped: an answer to a health check of NAT that did not come by the director as the real server's gateway.
    ProbeDetoured = 35, "probe_detoured";
}

impl Reason {
    /// Places for counters.
    pub const CAPACITY: usize = 64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_from_zero_and_fit_the_counters() {
        for (number, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
        }
        assert!(Reason::ALL.len() <= Reason::CAPACITY);
    }

    #[test]
    fn every_reason_says_what_becomes_of_the_packet() {
        for reason in Reason::ALL {
            let text = reason.explanation().trim();
            assert!(text.starts_with("Passed") || text.starts_with("Dropped"), "{text}");
        }
    }
}
