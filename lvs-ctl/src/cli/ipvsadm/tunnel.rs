//! Which tunnel options fit which tunnel type.

use super::{
    given::NameSet,
    line::{ServerOptions, TunnelType},
    option::Name,
    refusal::{Refusal, usage},
};
use crate::api::types::{Checksum, Tunnel};

/// Every tunnel option, in the order in which they are checked.
pub(super) const OPTIONS: [Name; 5] =
    [Name::TunType, Name::TunPort, Name::TunNocsum, Name::TunCsum, Name::TunRemcsum];

/// The tunnel that the options describe.
pub(super) fn tunnel(server: &ServerOptions, given: NameSet) -> Result<Tunnel, Refusal> {
    check(server.tunnel, given)?;
    let checksum = if given.has(Name::TunRemcsum) {
        Checksum::Remote
    } else if given.has(Name::TunCsum) {
        Checksum::Full
    } else {
        Checksum::None
    };
    Ok(match server.tunnel {
        TunnelType::Ipip => Tunnel::Ipip,
        TunnelType::Gue => Tunnel::Gue { port: server.tunnel_port, checksum },
        TunnelType::Gre => Tunnel::Gre { checksum },
    })
}

fn check(tunnel: TunnelType, given: NameSet) -> Result<(), Refusal> {
    use Name as N;
    let (kind, required, exclusive): (&str, &[N], &[N]) = match tunnel {
        TunnelType::Ipip => ("ipip", &[], &[]),
        TunnelType::Gue => ("gue", &[N::TunPort], &[N::TunNocsum, N::TunCsum, N::TunRemcsum]),
        TunnelType::Gre => ("gre", &[], &[N::TunNocsum, N::TunCsum]),
    };
    let mut last: Option<Name> = None;
    for name in OPTIONS.into_iter().filter(|&name| name != N::TunType) {
        let text = name.text();
        if !given.has(name) {
            if required.contains(&name) {
                return usage(format!(
                    "You need to supply the '{text}' option for the '{kind}' tunnel type"
                ));
            }
        } else if exclusive.contains(&name) {
            if let Some(last) = last {
                let last = last.text();
                return usage(format!(
                    "The option '{text}' conflicts with the '{last}' option in the '{kind}' tunnel type"
                ));
            }
            last = Some(name);
        } else if !required.contains(&name) {
            return usage(format!("Illegal '{text}' option with the '{kind}' tunnel type"));
        }
    }
    Ok(())
}
