//! Persistence: a client's connections go to one real server, which a template in the connection table
//! remembers (`ip_vs_sched_persist`).
//!
//! | service | template's protocol, virtual end |
//! | --- | --- |
//! | address and port | the packet's, VIP and port |
//! | address and port 21 (ftp), or port 0 | the packet's, VIP and 0 |
//! | firewall mark | none, the mark and 0 |
//!
//! The client's address is masked; for its port stands the protocol's number.

use crate::{
    conntable::{Key, ends::Ends, word},
    map::Service,
    net::{Addr, Addr6, Be16, Be32},
};

/// For so long a template lasts on while it has connections although its time is over, seconds
/// (`ip_vs_conn_expire_later`).
pub const LATER_S: u32 = 60;

/// ftp, whose service has the ports of data connections too.
pub const FTP: Be16 = Be16::new(21);

const NO_PORT: Be16 = Be16::new(0);

/// What a persistent service says of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// Lifetime of a template, seconds.
    pub lifetime_s: u32,
    /// Which clients share one; see [`Service::netmask`].
    pub netmask: u32,
    mark: u32,
    port: Be16,
}

impl Persistence {
    /// What a service says, if it is persistent.
    #[inline(always)]
    #[must_use]
    pub fn of(service: &Service) -> Option<Self> {
        service.has(Service::PERSISTENT).then_some(Self {
            lifetime_s: service.persistence_s,
            netmask: service.netmask,
            mark: service.mark,
            port: service.port,
        })
    }

    /// Whether connections to a port keep to the service's own: others go on to the port that they
    /// asked for, whatever port the real server has.
    #[inline(always)]
    #[must_use]
    pub fn is_own(&self, port: Be16) -> bool {
        port == self.port
    }

    /// Whether the template of connections to a port is for that port alone.
    #[inline(always)]
    #[must_use]
    pub fn is_for_port(&self, port: Be16) -> bool {
        self.is_own(port) && port != FTP
    }

    /// The key of the template for connections of a protocol to an address and port, by the shorts of
    /// the masked client and of the address.
    #[inline(always)]
    #[must_use]
    pub fn key(&self, client: Be32, protocol: u8, address: Be32, port: Be16) -> Key {
        if self.mark != 0 {
            return Key::new(word::TEMPLATE, client, NO_PORT, Be32::new(self.mark), NO_PORT);
        }
        let port = if self.is_for_port(port) { port } else { NO_PORT };
        Key::new(word::TEMPLATE, client, Be16::new(protocol as u16), address, port)
    }

    /// The ends of a template, by the masked client and the address: as [`Self::key`] has them, whole.
    #[inline(always)]
    #[must_use]
    pub fn ends(&self, client: Addr, address: Addr) -> Ends {
        const NONE: Be32 = Be32::new(0);
        let virtual_address = if self.mark != 0 {
            // As IPVS has it in its connections.
            Addr::from_words([Be32::new(self.mark), NONE, NONE, NONE])
        } else {
            address
        };
        Ends { client: Addr6::new(client), virtual_address: Addr6::new(virtual_address) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: Be16 = Be16::new(80);
    const CLIENT: Be32 = Be32::new(0x0a00_0000);
    const VIP: Be32 = Be32::new(0xc0a8_0405);

    fn of(port: Be16, mark: u32) -> Persistence {
        let service = Service { flags: Service::PERSISTENT, port, mark, ..Service::default() };
        Persistence::of(&service).unwrap()
    }

    #[test]
    fn only_persistent_services_have_templates() {
        assert_eq!(Persistence::of(&Service::default()), None);
    }

    #[test]
    fn a_port_has_its_own_template_and_ftp_shares_one_with_its_data() {
        let key = |service: Persistence, port| service.key(CLIENT, 6, VIP, port);
        assert_ne!(key(of(HTTP, 0), HTTP), key(of(NO_PORT, 0), HTTP));
        assert_eq!(key(of(NO_PORT, 0), Be16::new(443)), key(of(NO_PORT, 0), HTTP));
        assert_eq!(key(of(FTP, 0), FTP), key(of(FTP, 0), Be16::new(50_000)));
    }

    #[test]
    fn a_marks_template_is_for_every_address_port_and_protocol() {
        let marked = of(NO_PORT, 7);
        let other = Be32::new(1);
        assert_eq!(marked.key(CLIENT, 6, VIP, HTTP), marked.key(CLIENT, 17, other, FTP));
        assert_ne!(marked.key(CLIENT, 6, VIP, HTTP), of(NO_PORT, 8).key(CLIENT, 6, VIP, HTTP));
        // The address 0.0.0.7 is another thing than the mark 7.
        let seven = of(NO_PORT, 0).key(CLIENT, 6, Be32::new(7), HTTP);
        assert_ne!(marked.key(CLIENT, 6, VIP, HTTP), seven);
    }
}
