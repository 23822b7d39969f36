//! The Debian packages that the project uses, and how to see that one is there.

use super::Needs;

/// One Debian package.
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: &'static str,
    /// The program, or the file by its whole path, that proves it is installed.
    pub(crate) program: &'static str,
    /// What it is used for, as shown to the user.
    pub(crate) used_for: &'static str,
    /// What needs it.
    pub(crate) needs: Needs,
}

/// All of them: a new one is one line.
pub(crate) const PACKAGES: &[Package] = &[
    package("iproute2", "ip", "demo and tests: namespaces, links, routes", Needs::Traffic),
    package("curl", "curl", "demo and tests: the HTTP client", Needs::Traffic),
    package("ethtool", "ethtool", "demo and tests: offloads of veth pairs", Needs::Traffic),
    package("netbase", "/etc/services", "names of ports: `ipvsadm -L` shows :http", Needs::Traffic),
    package("ldirectord", "/usr/sbin/ldirectord", "tests: a client of ipvsadm's", Needs::Traffic),
    package("nginx", "/usr/sbin/nginx", "tests: real servers as operators run them", Needs::Traffic),
    package("prometheus", "prometheus", "tests: metrics, read by who they are for", Needs::Traffic),
    package("nftables", "nft", "bench wire: what the director is beside", Needs::Traffic),
    package("dpkg-dev", "dpkg-shlibdeps", "package: what the program depends on", Needs::Package),
    package("lintian", "lintian", "package: the rules of Debian", Needs::Package),
    package("mmdebstrap", "mmdebstrap", "package --try: a clean Debian", Needs::Container),
    package("systemd-container", "systemd-nspawn", "package --try: boots it", Needs::Container),
    package("socat", "socat", "the kernel's own test of IPVS", Needs::Traffic),
    package("tshark", "tshark", "tests: captures, decoded by somebody else", Needs::Traffic),
    package("qemu-system-x86", "qemu-system-x86_64", "tests with another kernel", Needs::Guest),
];

/// The packages of these needs whose program `is_there` does not find.
pub(crate) fn missing(needs: Needs, is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needed = PACKAGES.iter().filter(|package| needs.include(package.needs));
    needed.filter(|package| !is_there(package.program)).map(|package| package.name).collect()
}

const fn package(
    name: &'static str,
    program: &'static str,
    used_for: &'static str,
    needs: Needs,
) -> Package {
    Package { name, program, used_for, needs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_missing_when_its_program_is() {
        let without_ip = |program: &str| program != "ip";
        assert_eq!(missing(Needs::Traffic, without_ip), ["iproute2"]);
    }

    #[test]
    fn building_needs_no_traffic_tools() {
        assert!(missing(Needs::Build, |_| false).is_empty());
    }
}
