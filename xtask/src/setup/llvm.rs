//! Which LLVM rustc was built with, which one bpf-linker links with, and whether they fit.
//!
//! rustc hands bpf-linker LLVM bitcode, which an older LLVM cannot read.

use std::fmt;

/// The release of bpf-linker that is installed. Pinned, because a later one may want a newer
/// compiler or other packages: with this one the whole way from a fresh Debian was tried.
pub(crate) const LINKER_VERSION: &str = "0.13.0";

/// The LLVM majors that this release has a feature for.
const KNOWN: std::ops::RangeInclusive<u32> = 21..=23;

/// The bpf-linker found on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linker {
    /// Its own version, as it prints it.
    pub(crate) version: String,
    /// The major version of the shared LLVM it links with; `None` when LLVM is inside it.
    pub(crate) llvm: Option<u32>,
}

impl Linker {
    /// Whether it reads the bitcode of a rustc built with LLVM `rustc`. One with LLVM inside is
    /// trusted: nothing in the file says which it is.
    pub(crate) fn reads(&self, rustc: u32) -> bool {
        self.llvm.is_none_or(|own| own >= rustc)
    }
}

impl fmt::Display for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.llvm {
            Some(llvm) => write!(f, "{} with LLVM {llvm}", self.version),
            None => write!(f, "{} with its own LLVM", self.version),
        }
    }
}

/// Whether [`LINKER_VERSION`] can be built with this LLVM.
pub(crate) fn is_known(llvm: u32) -> bool {
    KNOWN.contains(&llvm)
}

/// The LLVM major in what `rustc -vV` prints.
pub(crate) fn of_rustc(version: &str) -> Option<u32> {
    let line = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    leading_number(line)
}

/// The LLVM major in the names of the shared libraries that a program loads (its `.dynstr`):
/// `libLLVM.so.22.1` or, before LLVM 18, `libLLVM-17.so.1`.
pub(crate) fn of_libraries(dynstr: &[u8]) -> Option<u32> {
    let mut names = dynstr.split(|&byte| byte == 0).filter_map(|name| str::from_utf8(name).ok());
    names.find_map(|name| {
        let version = name.strip_prefix("libLLVM")?;
        leading_number(version.trim_start_matches(|c: char| !c.is_ascii_digit()))
    })
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_tells_its_llvm() {
        let printed = "rustc 1.95.0 (59807616e 2026-04-14)\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(of_rustc(printed), Some(22));
        assert_eq!(of_rustc("rustc 1.95.0\n"), None);
    }

    #[test]
    fn the_linker_shows_its_llvm_in_the_libraries_it_loads() {
        assert_eq!(of_libraries(b"\0libc.so.6\0libLLVM.so.22.1\0LLVM_22.1\0"), Some(22));
        assert_eq!(of_libraries(b"\0libLLVM-17.so.1\0"), Some(17));
        assert_eq!(of_libraries(b"\0libc.so.6\0"), None);
    }

    #[test]
    fn an_older_llvm_cannot_read_what_rustc_writes() {
        let linker = |llvm| Linker { version: "bpf-linker 0.13.0".into(), llvm };
        assert!(linker(Some(22)).reads(22));
        assert!(linker(Some(23)).reads(22));
        assert!(!linker(Some(21)).reads(22));
        assert!(linker(None).reads(22));
    }

    #[test]
    fn only_llvms_with_a_feature_can_be_built_with() {
        assert!(is_known(22));
        assert!(!is_known(20));
        assert!(!is_known(24));
    }
}
