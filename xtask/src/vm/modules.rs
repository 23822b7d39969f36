//! The kernel modules of the guest, each after those that it needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

/// What the guest is to have; what they need comes by itself.
const WANTED: &[&str] = &[
    // The machine itself, and this one's files.
    "virtio_pci",
    "virtio_console",
    "9p",
    "9pnet_virtio",
    "overlay",
    // Links of the lab.
    "veth",
    "bridge",
    "8021q",
    "bonding",
    "dummy",
    "macvlan",
    "tun",
    // Ends of tunnels.
    "ipip",
    "ip_gre",
    "fou",
    "sit",
    "ip6_tunnel",
    "ip6_gre",
    "fou6",
    // Without the first, the second finds no algorithm for its checksums.
    "crc32c_generic",
    "sctp",
    // What the controller and the tests ask of traffic control and of the firewall.
    "sch_ingress",
    "sch_netem",
    "cls_bpf",
    "cls_matchall",
    "cls_flower",
    "cls_u32",
    "act_bpf",
    "act_mirred",
    "act_skbedit",
    "act_gact",
    "act_csum",
    "act_vlan",
    "nf_conntrack",
    "nf_tables",
    "nft_ct",
    "nft_nat",
    "nft_chain_nat",
    "nft_compat",
];

/// The files of all wanted modules below a directory, and of these, in an order in which they can be loaded.
pub(super) fn in_order(below: &Path, more: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = BTreeMap::new();
    find(below, &mut files)?;
    let mut order = Sorting { files, seen: BTreeSet::new(), order: Vec::new() };
    for name in WANTED.iter().chain(more) {
        order.add(name)?;
    }
    Ok(order.order)
}

struct Sorting {
    files: BTreeMap<String, PathBuf>,
    seen: BTreeSet<String>,
    order: Vec<PathBuf>,
}

impl Sorting {
    fn add(&mut self, name: &str) -> Result<()> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        // Not a module: part of the kernel itself.
        let Some(file) = self.files.get(name).cloned() else { return Ok(()) };
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for needed in needs(&bytes).with_context(|| format!("{} is no module", file.display()))? {
            self.add(&needed)?;
        }
        self.order.push(file);
        Ok(())
    }
}

/// Name → file. Names have `_` where files may have `-`.
fn find(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("no modules in {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "ko")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

/// What the module says that it needs.
fn needs(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module)?;
    let section = file.section_by_name(".modinfo").context("it has no .modinfo")?;
    Ok(depends(section.data()?))
}

/// The names of the line `depends=a,b` among lines that end with a zero.
fn depends(modinfo: &[u8]) -> Vec<String> {
    let mut lines = modinfo.split(|byte| *byte == 0);
    let names = lines.find_map(|line| line.strip_prefix(b"depends=")).unwrap_or_default();
    let names = String::from_utf8_lossy(names);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_says_what_it_needs() {
        let modinfo = b"license=GPL\0depends=udp_tunnel,ip6-udp-tunnel\0name=fou\0";
        assert_eq!(depends(modinfo), ["udp_tunnel", "ip6_udp_tunnel"]);
        assert_eq!(depends(b"license=GPL\0depends=\0"), [] as [&str; 0]);
        assert_eq!(depends(b""), [] as [&str; 0]);
    }
}
