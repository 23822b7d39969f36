//! Kernel settings that would eat a director's packets.
//!
//! The program forwards without the stack's leave. What it leaves to the stack (NAT replies it
//! cannot send itself, above all) obeys `ip-sysctl`: forwarding must be on, the reverse path
//! filter not strict, and an address of our own (the VIP) accepted as a source.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// `/proc/sys`, of the network namespace of the thread that reads it.
#[derive(Clone, Debug)]
pub struct Sysctl {
    root: PathBuf,
}

/// The settings of one interface, as they work together with those for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// IPv4 packets that come in here are forwarded.
    pub forwarding_v4: bool,
    /// IPv6 packets that come in here are forwarded.
    pub forwarding_v6: bool,
    /// 0 off, 1 strict, 2 loose: the larger of the interface's and that for all.
    pub rp_filter: u8,
    /// Packets from an IPv4 address of our own are accepted.
    pub accept_local: bool,
}

/// A setting as it was before it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The interface.
    pub interface: String,
    /// What `accept_local` was.
    pub value: String,
}

impl Default for Sysctl {
    fn default() -> Self {
        Self { root: "/proc/sys".into() }
    }
}

impl Sysctl {
    /// Reads the settings of an interface.
    ///
    /// # Errors
    /// The system's; `NotFound` if there is no such interface.
    pub fn settings(&self, interface: &str) -> io::Result<Settings> {
        let of = |name| self.number(&conf("ipv4", interface, name));
        let all = |name| self.number(&conf("ipv4", "all", name));
        // The kernel may be without IPv6.
        let forwarding_v6 = self.number(&conf("ipv6", interface, "forwarding")).unwrap_or(0);
        Ok(Settings {
            forwarding_v4: of("forwarding")? != 0,
            forwarding_v6: forwarding_v6 != 0,
            // linux/inetdevice.h: IN_DEV_MAXCONF and IN_DEV_ORCONF.
            rp_filter: of("rp_filter")?.max(all("rp_filter")?),
            accept_local: of("accept_local")? != 0 || all("accept_local")? != 0,
        })
    }

    /// Accepts packets from our own addresses on `interface`: replies whose source has become a
    /// local VIP are otherwise martians to the stack.
    ///
    /// Returns what to [`Sysctl::restore`] later; `None` if it was so already.
    ///
    /// # Errors
    /// The system's.
    pub fn accept_local(&self, interface: &str) -> io::Result<Option<Saved>> {
        let path = self.root.join(conf("ipv4", interface, "accept_local"));
        let value = fs::read_to_string(&path)?.trim().to_owned();
        if value != "0" {
            return Ok(None);
        }
        fs::write(path, "1")?;
        Ok(Some(Saved { interface: interface.to_owned(), value }))
    }

    /// Puts a setting back as it was. An interface that has gone took it along.
    ///
    /// # Errors
    /// The system's.
    pub fn restore(&self, saved: &Saved) -> io::Result<()> {
        let path = self.root.join(conf("ipv4", &saved.interface, "accept_local"));
        match fs::write(path, &saved.value) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn number(&self, path: &Path) -> io::Result<u8> {
        let text = fs::read_to_string(self.root.join(path))?;
        text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Settings {
    /// What to tell the operator of a director that does NAT over this interface: a line each,
    /// with what to type.
    #[must_use]
    pub fn nat_warnings(&self, interface: &str, ipv6: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        if !ipv6 && !self.forwarding_v4 {
            warnings.push(format!(
                "{interface}: IPv4 forwarding is off, so NAT packets left to the kernel are \
                 dropped: sysctl -w net.ipv4.ip_forward=1"
            ));
        }
        if ipv6 && !self.forwarding_v6 {
            warnings.push(format!(
                "{interface}: IPv6 forwarding is off, so NAT packets left to the kernel are \
                 dropped: sysctl -w net.ipv6.conf.all.forwarding=1"
            ));
        }
        if !ipv6 && self.rp_filter == 1 {
            let key = interface.replace('.', "/");
            warnings.push(format!(
                "{interface}: rp_filter is strict, so NAT replies left to the kernel are dropped: \
                 sysctl -w net.ipv4.conf.{key}.rp_filter=2"
            ));
        }
        warnings
    }
}

/// `net/ipv4/conf/INTERFACE/NAME`: as a path, a dot in an interface's name needs no escape.
fn conf(family: &str, interface: &str, name: &str) -> PathBuf {
    Path::new("net").join(family).join("conf").join(interface).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Settings =
        Settings { forwarding_v4: true, forwarding_v6: true, rp_filter: 0, accept_local: false };

    fn tree(values: &[(&str, &str)]) -> (tempfile::TempDir, Sysctl) {
        let directory = tempfile::tempdir().unwrap();
        for (path, value) in values {
            let path = directory.path().join("net/ipv4/conf").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        let root = directory.path().to_owned();
        (directory, Sysctl { root })
    }

    #[test]
    fn the_setting_for_all_counts_as_the_kernel_counts_it() {
        let (_directory, sysctl) = tree(&[
            ("all/rp_filter", "1"),
            ("all/accept_local", "1"),
            ("eth0.5/forwarding", "1"),
            ("eth0.5/rp_filter", "0"),
            ("eth0.5/accept_local", "0"),
        ]);
        let expected = Settings { rp_filter: 1, accept_local: true, forwarding_v6: false, ..FINE };
        assert_eq!(sysctl.settings("eth0.5").unwrap(), expected);
    }

    #[test]
    fn accept_local_is_put_back_as_it_was() {
        let (directory, sysctl) = tree(&[("eth0/accept_local", "0")]);
        let read = || fs::read_to_string(directory.path().join("net/ipv4/conf/eth0/accept_local"));
        let saved = sysctl.accept_local("eth0").unwrap().unwrap();
        assert_eq!(read().unwrap().trim(), "1");
        assert_eq!(sysctl.accept_local("eth0").unwrap(), None);
        sysctl.restore(&saved).unwrap();
        assert_eq!(read().unwrap().trim(), "0");
    }

    #[test]
    fn restoring_on_an_interface_that_has_gone_is_no_error() {
        let (_directory, sysctl) = tree(&[]);
        let saved = Saved { interface: "gone".to_owned(), value: "0".to_owned() };
        sysctl.restore(&saved).unwrap();
    }

    #[test]
    fn a_director_is_warned_of_what_eats_nat() {
        assert_eq!(FINE.nat_warnings("eth0", false), Vec::<String>::new());
        let bad = Settings { forwarding_v4: false, rp_filter: 1, ..FINE };
        let warnings = bad.nat_warnings("eth0.5", false);
        assert!(warnings[0].ends_with("sysctl -w net.ipv4.ip_forward=1"), "{warnings:?}");
        assert!(warnings[1].ends_with("net.ipv4.conf.eth0/5.rp_filter=2"), "{warnings:?}");
        assert_eq!(bad.nat_warnings("eth0.5", true), Vec::<String>::new());
    }

    #[test]
    fn loose_reverse_path_filtering_is_no_reason_to_warn() {
        assert!(Settings { rp_filter: 2, ..FINE }.nat_warnings("eth0", false).is_empty());
    }
}
