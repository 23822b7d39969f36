//! A virtual service in one word: `tcp:192.0.2.1:80`, `udp:[2001:db8::1]:53`, `fwmark:7`, `fwmark6:7`.

use std::net::SocketAddr;

use super::{Family, Protocol, ServiceId};

/// The word.
#[must_use]
pub fn write(id: ServiceId) -> String {
    match id {
        ServiceId::Address { protocol, address, port } => {
            format!("{}:{}", protocol.name(), SocketAddr::new(address, port))
        }
        ServiceId::Mark { mark, family: Family::Ipv4 } => format!("fwmark:{mark}"),
        ServiceId::Mark { mark, family: Family::Ipv6 } => format!("fwmark6:{mark}"),
    }
}

/// The service of a word, if it is one.
#[must_use]
pub fn read(word: &str) -> Option<ServiceId> {
    let (kind, rest) = word.split_once(':')?;
    let mark = |family| Some(ServiceId::Mark { mark: rest.parse().ok()?, family });
    match kind {
        "fwmark" => mark(Family::Ipv4),
        "fwmark6" => mark(Family::Ipv6),
        _ => {
            let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == kind)?;
            let end: SocketAddr = rest.parse().ok()?;
            Some(ServiceId::Address { protocol, address: end.ip(), port: end.port() })
        }
    }
}

/// For fields that may have one.
pub mod optional {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    use super::{super::ServiceId, read, write};

    /// Writes the word.
    ///
    /// # Errors
    /// Those of the format.
    pub fn serialize<S: Serializer>(id: &Option<ServiceId>, format: S) -> Result<S::Ok, S::Error> {
        id.map(write).serialize(format)
    }

    /// Reads the word.
    ///
    /// # Errors
    /// It is no service.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        format: D,
    ) -> Result<Option<ServiceId>, D::Error> {
        let Some(word) = Option::<String>::deserialize(format)? else { return Ok(None) };
        let no_service = || de::Error::custom(format!("`{word}' is no virtual service"));
        read(&word).map(Some).ok_or_else(no_service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_its_word_are_each_others_inverse() {
        for word in ["tcp:192.0.2.1:80", "udp:[2001:db8::1]:53", "fwmark:7", "fwmark6:7"] {
            assert_eq!(read(word).map(write).as_deref(), Some(word));
        }
        for word in ["", "tcp", "tcp:192.0.2.1", "icmp:192.0.2.1:80", "fwmark:web", "fwmark:-1"] {
            assert_eq!(read(word), None, "{word}");
        }
    }
}
