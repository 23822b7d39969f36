//! The kernel's neighbour entries (ARP and neighbour discovery): reading one, and having the
//! kernel keep it.
//!
//! XDP traffic refreshes no entry, so the kernel would let them go. A *managed* entry
//! (`ip neigh replace A dev D managed`) it resolves and confirms by itself.
//!
//! Entries that the director asked for carry its protocol number ([`PROTOCOL`]): a controller that
//! follows another knows by it what to give up, and nobody else's entry is touched.

use std::{io, net::IpAddr};

use super::{
    MacAddress,
    message::{Message, NLM_F_CREATE, NLM_F_REPLACE, family, octets},
    socket::Requests,
};

/// `NDA_PROTOCOL` of entries that the director has asked for; `ip neigh` shows it as "proto 76".
/// Unassigned in `/etc/iproute2/rt_protos` and in `linux/rtnetlink.h`.
pub(super) const PROTOCOL: u8 = b'L';

const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// `struct ndmsg`.
const FIXED: usize = 12;
const FAMILY: usize = 0;
const IFINDEX: usize = 4;
const STATE: usize = 8;
const FLAGS: usize = 10;

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_PROTOCOL: u16 = 12;
const NDA_FLAGS_EXT: u16 = 15;

const NTF_USE: u8 = 1;
const NTF_EXT_LEARNED: u8 = 1 << 4;
const NTF_EXT_MANAGED: u32 = 1;

const NUD_INCOMPLETE: u16 = 0x01;
const NUD_FAILED: u16 = 0x20;
const NUD_NOARP: u16 = 0x40;
const NUD_PERMANENT: u16 = 0x80;
/// Reachable, stale, delay, probe, noarp, permanent: the kernel sends by such an entry.
const NUD_VALID: u16 = 0xde;

/// An address on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) interface: u32,
    pub(super) address: IpAddr,
}

/// Who confirms the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// The kernel, from 5.16 on.
    Managed,
    /// The controller, by probing each from time to time (`NTF_USE`).
    Probed,
}

/// An entry as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    state: u16,
    flags: u8,
    managed: bool,
    protocol: u8,
    mac: Option<MacAddress>,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Frames go to this MAC.
    Mac(MacAddress),
    /// The kernel has asked and waits, for three seconds at most
    /// (`mcast_solicit` × `retrans_time_ms`).
    Pending,
    /// Nobody answered.
    Silent,
}

impl Entry {
    /// What it says now.
    pub(super) fn answer(&self) -> Answer {
        match self.mac {
            Some(mac) if self.state & NUD_VALID != 0 => Answer::Mac(mac),
            _ if self.state & NUD_FAILED != 0 => Answer::Silent,
            _ => Answer::Pending,
        }
    }

    /// Whether it needs nobody to confirm it: an operator's permanent entry, one of a device
    /// without ARP, one that another daemon feeds (EVPN).
    ///
    /// To ask for it would take that from it: `neigh_add` clears the marks that it is not given.
    pub(super) const fn stands_alone(&self) -> bool {
        self.state & (NUD_PERMANENT | NUD_NOARP) != 0 || self.flags & NTF_EXT_LEARNED != 0
    }

    /// Whether it must be asked for, to be kept. A failed entry that is not managed is one being
    /// flushed: no word about the host.
    pub(super) fn wants_asking(&self, upkeep: Upkeep) -> bool {
        let asked = match upkeep {
            Upkeep::Managed => self.managed,
            Upkeep::Probed => self.state & (NUD_VALID | NUD_INCOMPLETE | NUD_FAILED) != 0,
        };
        !asked && !self.stands_alone()
    }

    /// Whether a director asked the kernel to keep it, and the kernel took no notice. (Without the
    /// mark it is another entry, made after ours was flushed.)
    pub(super) const fn was_refused(&self) -> bool {
        !self.managed && self.protocol == PROTOCOL
    }

    /// Whether it is managed because a director asked.
    pub(super) const fn is_ours(&self) -> bool {
        self.managed && self.protocol == PROTOCOL
    }

    fn read(message: &Message) -> Self {
        let attributes = message.attributes(FIXED);
        Self {
            state: message.u16(STATE),
            flags: message.byte(FLAGS),
            managed: attributes.u32(NDA_FLAGS_EXT).unwrap_or_default() & NTF_EXT_MANAGED != 0,
            protocol: attributes.byte(NDA_PROTOCOL).unwrap_or_default(),
            mac: attributes.get(NDA_LLADDR).and_then(|mac| mac.try_into().ok()),
        }
    }
}

/// The neighbour that a message is about; none of the bridge's own table.
pub(super) fn key_of(message: &Message) -> Option<Key> {
    let address = message.attributes(FIXED).address(NDA_DST)?;
    let ours = message.byte(FAMILY) == family(address);
    ours.then(|| Key { interface: message.u32(IFINDEX), address })
}

/// Reads an entry; `None` if there is none.
pub(super) async fn get(requests: &mut Requests, key: Key) -> io::Result<Option<Entry>> {
    match requests.ask(message(RTM_GETNEIGH, 0, key, 0)).await {
        Ok(answers) => Ok(answers.first().map(Entry::read)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the kernel resolve a neighbour, and keep it if it is to.
///
/// A kernel older than 5.16 ignores the wish to keep it: read the entry back to see.
pub(super) async fn ask(requests: &mut Requests, key: Key, upkeep: Upkeep) -> io::Result<()> {
    let create = NLM_F_CREATE | NLM_F_REPLACE;
    let question = message(RTM_NEWNEIGH, create, key, NTF_USE).with(NDA_PROTOCOL, &[PROTOCOL]);
    let question = match upkeep {
        Upkeep::Managed => question.with(NDA_FLAGS_EXT, &NTF_EXT_MANAGED.to_ne_bytes()),
        Upkeep::Probed => question,
    };
    requests.ask(question).await.map(|_| ())
}

/// Has the kernel let go of an entry that a director had asked for. The entry stays, and ages.
pub(super) async fn release(requests: &mut Requests, key: Key) -> io::Result<()> {
    if !get(requests, key).await?.is_some_and(|entry| entry.is_ours()) {
        return Ok(());
    }
    match requests.ask(message(RTM_NEWNEIGH, NLM_F_REPLACE, key, NTF_USE)).await {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
        _ => Ok(()),
    }
}

/// The entries that directors asked for, of both families.
pub(super) async fn ours(requests: &mut Requests) -> io::Result<Vec<Key>> {
    let all = requests.dump(Message::new(RTM_GETNEIGH, 0, &[0; FIXED])).await?;
    Ok(all.iter().filter(|it| Entry::read(it).is_ours()).filter_map(key_of).collect())
}

fn message(kind: u16, message_flags: u16, key: Key, flags: u8) -> Message {
    let mut fixed = [0; FIXED];
    fixed[FAMILY] = family(key.address);
    fixed[IFINDEX..][..4].copy_from_slice(&key.interface.to_ne_bytes());
    fixed[FLAGS] = flags;
    Message::new(kind, message_flags, &fixed).with(NDA_DST, &octets(key.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = [2, 0, 0, 0, 0, 9];
    const REACHABLE: u16 = 0x02;
    const STALE: u16 = 0x04;
    const PROBE: u16 = 0x10;

    fn entry(state: u16, managed: bool) -> Entry {
        Entry { state, flags: 0, managed, protocol: 0, mac: Some(MAC) }
    }

    #[test]
    fn every_state_that_the_kernel_sends_by_has_a_mac() {
        for state in [REACHABLE, STALE, PROBE, NUD_NOARP, NUD_PERMANENT] {
            assert_eq!(entry(state, true).answer(), Answer::Mac(MAC), "state {state:#x}");
        }
    }

    #[test]
    fn a_failed_entry_is_silent_whatever_mac_it_remembers() {
        assert_eq!(entry(NUD_FAILED, true).answer(), Answer::Silent);
        assert_eq!(entry(NUD_INCOMPLETE, true).answer(), Answer::Pending);
    }

    #[test]
    fn what_others_keep_is_left_alone() {
        assert!(!entry(NUD_PERMANENT, false).wants_asking(Upkeep::Managed));
        let learned = Entry { flags: NTF_EXT_LEARNED, ..entry(STALE, false) };
        assert!(!learned.wants_asking(Upkeep::Managed));
        assert!(!entry(REACHABLE, true).is_ours());
    }

    #[test]
    fn an_entry_that_nobody_keeps_is_asked_for() {
        assert!(entry(REACHABLE, false).wants_asking(Upkeep::Managed));
        assert!(entry(NUD_FAILED, false).wants_asking(Upkeep::Managed));
        assert!(!entry(NUD_FAILED, true).wants_asking(Upkeep::Managed));
    }

    #[test]
    fn a_probed_entry_is_asked_for_once() {
        assert!(entry(0, false).wants_asking(Upkeep::Probed));
        assert!(!entry(STALE, false).wants_asking(Upkeep::Probed));
        assert!(!entry(NUD_FAILED, false).wants_asking(Upkeep::Probed));
    }

    #[test]
    fn a_kernel_without_managed_entries_is_recognised_by_the_mark_alone() {
        assert!(Entry { protocol: PROTOCOL, ..entry(NUD_INCOMPLETE, false) }.was_refused());
        assert!(!entry(NUD_INCOMPLETE, false).was_refused());
    }

    #[test]
    fn the_bridge_table_is_no_neighbour() {
        let key = Key { interface: 4, address: "192.0.2.1".parse().unwrap() };
        let mut told = message(RTM_NEWNEIGH, 0, key, 0);
        assert_eq!(key_of(&told), Some(key));
        told.body[FAMILY] = 7; // AF_BRIDGE
        assert_eq!(key_of(&told), None);
    }
}
