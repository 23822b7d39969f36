//! Settings as the kernel of this host has them: `/proc/sys`, and what `ip` (iproute2) shows and sets.

use std::{
    fs, io,
    net::IpAddr,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::{
    RealServerError,
    setting::{Family, Setting},
    work::Machine,
};

/// This host, in the calling thread's network namespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost;

impl Machine for ThisHost {
    fn get(&self, setting: &Setting) -> Result<Option<String>, RealServerError> {
        match setting {
            Setting::Sysctl(path) => sysctl(path),
            Setting::Address { address, device } => address_on(*address, device),
            Setting::Device { name, .. } => Ok(link(name)?.map(|link| {
                let flags = link["flags"].as_array().into_iter().flatten();
                let up = flags.into_iter().any(|flag| flag == "UP");
                if up { "up" } else { "down" }.to_owned()
            })),
            Setting::TunnelMode(device) => Ok(link(device)?.and_then(|link| {
                link["linkinfo"]["info_data"]["proto"].as_str().map(str::to_owned)
            })),
            Setting::Port { port, family } => fou(*port, *family),
            Setting::DefaultRoute(family) => default_route(*family),
        }
    }

    fn set(&self, setting: &Setting, value: Option<&str>) -> Result<(), RealServerError> {
        match (setting, value) {
            // It went with its interface.
            (Setting::Sysctl(_), None) => Ok(()),
            (Setting::Sysctl(path), Some(value)) => write_sysctl(path, value),
            (Setting::Address { device, address }, Some(value)) => {
                let line = ["address", "add", value, "dev", device];
                // Known at once, and never the source of what this host sends by itself.
                let more: &[_] =
                    if address.is_ipv6() { &["nodad", "preferred_lft", "0"] } else { &[] };
                ip(&[&line, more].concat())
            }
            (Setting::Address { address, device }, None) => {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                ip(&["address", "del", &format!("{address}/{bits}"), "dev", device])
            }
            (Setting::Device { name, module }, value) => {
                if link(name)?.is_none() {
                    run("modprobe", &[module])?;
                }
                ip(&["link", "set", "dev", name, value.unwrap_or("down")])
            }
            (Setting::TunnelMode(device), value) => {
                let mode = value.unwrap_or("ip6ip6");
                ip(&["link", "set", "name", device, "type", "ip6tnl", "mode", mode])
            }
            (Setting::Port { port, family }, value) => {
                let (port, flag) = (port.to_string(), family.flag());
                match value {
                    Some(what) => {
                        run("modprobe", &[fou_module(*family)])?;
                        ip(&["fou", "add", "port", &port, what, flag])
                    }
                    None => ip(&["fou", "del", "port", &port, flag]),
                }
            }
            (Setting::DefaultRoute(family), value) => set_default_route(*family, value),
        }
    }

    fn can_have(&self, setting: &Setting) -> Result<(), RealServerError> {
        match setting {
            Setting::Address { address, device } => nowhere_else(*address, device),
            Setting::Device { name, module } if link(name)?.is_none() => {
                has_module(module_of(module), name)
            }
            Setting::Port { family, .. } => has_module(fou_module(*family), "gue"),
            _ => Ok(()),
        }
    }

    fn has_interface(&self, name: &str) -> Result<bool, RealServerError> {
        Ok(link(name)?.is_some())
    }
}

fn sysctl(path: &str) -> Result<Option<String>, RealServerError> {
    let path = Path::new("/proc/sys").join(path);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RealServerError::File { verb: "read", path, source }),
    }
}

fn write_sysctl(path: &str, value: &str) -> Result<(), RealServerError> {
    let path = Path::new("/proc/sys").join(path);
    fs::write(&path, value).map_err(|source| RealServerError::File { verb: "write", path, source })
}

/// The address with its prefix length, if the device has it.
fn address_on(address: IpAddr, device: &str) -> Result<Option<String>, RealServerError> {
    let found = places(address)?.into_iter().find(|(name, _)| name == device);
    Ok(found.map(|(_, bits)| format!("{address}/{bits}")))
}

/// No other device has the address.
fn nowhere_else(vip: IpAddr, device: &str) -> Result<(), RealServerError> {
    match places(vip)?.into_iter().next() {
        // With another prefix length it is not the address of one host.
        Some((place, bits)) if place == device => {
            Err(RealServerError::Elsewhere { vip, device: format!("{device} (as {vip}/{bits})") })
        }
        Some((place, _)) => Err(RealServerError::Elsewhere { vip, device: place }),
        None => Ok(()),
    }
}

/// Devices that have the address, and prefix lengths.
fn places(address: IpAddr) -> Result<Vec<(String, u64)>, RealServerError> {
    let links = shown(&["address", "show"])?;
    let mut places = Vec::new();
    for link in links.as_array().into_iter().flatten() {
        for info in link["addr_info"].as_array().into_iter().flatten() {
            let same = info["local"].as_str().and_then(|text| text.parse().ok()) == Some(address);
            if let (true, Some(name)) = (same, link["ifname"].as_str()) {
                places.push((name.to_owned(), info["prefixlen"].as_u64().unwrap_or_default()));
            }
        }
    }
    Ok(places)
}

fn link(name: &str) -> Result<Option<Value>, RealServerError> {
    let links = shown(&["-details", "link", "show"])?;
    let mut links = links.as_array().cloned().unwrap_or_default().into_iter();
    Ok(links.find(|link| link["ifname"] == name))
}

fn fou(port: u16, family: Family) -> Result<Option<String>, RealServerError> {
    // Without the module there is nobody to ask.
    let output = output("ip", &["fou", "show"])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_v6 = words.contains(&"-6");
        match words[..] {
            ["port", number, what, ..]
                if number == port.to_string() && is_v6 == (family == Family::Ipv6) =>
            {
                Some(what.to_owned())
            }
            _ => None,
        }
    }))
}

/// The one that goes first: those with a metric stand behind it.
fn default_route(family: Family) -> Result<Option<String>, RealServerError> {
    let output = output("ip", &[family.flag(), "route", "show", "default"])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = |line: &str| {
        let words = line.split_whitespace().filter(|word| !["linkdown", "dead"].contains(word));
        words.collect::<Vec<_>>().join(" ")
    };
    let mut lines = text.lines().map(words).filter(|line| line.starts_with("default"));
    Ok(match family {
        Family::Ipv4 => lines.find(|line| !line.contains(" metric ")),
        // Here every route has one, of 1024 unless it was said.
        Family::Ipv6 => lines.find(|line| line.contains(" metric 1024")),
    })
}

fn set_default_route(family: Family, value: Option<&str>) -> Result<(), RealServerError> {
    let flag = family.flag();
    let Some(value) = value else {
        return ip(&[flag, "route", "del", "default"]);
    };
    // `pref medium' is shown, and not always taken.
    let value = value.trim_start_matches("default").trim_end_matches(" pref medium");
    let words: Vec<_> = value.split_whitespace().collect();
    ip(&[&[flag, "route", "replace", "default"], &words[..]].concat())
}

const fn fou_module(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "fou",
        Family::Ipv6 => "fou6",
    }
}

/// Names of modules are few.
fn module_of(name: &str) -> &'static str {
    let known = ["ipip", "sit", "ip6_tunnel", "ip_gre", "ip6_gre"];
    known.into_iter().find(|known| *known == name).unwrap_or("of that device")
}

fn has_module(module: &'static str, device: &str) -> Result<(), RealServerError> {
    let dry = output("modprobe", &["--dry-run", "--quiet", module]);
    if dry.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(RealServerError::NoModule { device: device.to_owned(), module })
}

/// What `ip` shows, as JSON.
fn shown(words: &[&str]) -> Result<Value, RealServerError> {
    let words = [&["-json"], words].concat();
    let text = run("ip", &words)?;
    let text = if text.trim().is_empty() { "[]" } else { &text };
    serde_json::from_str(text)
        .map_err(|error| RealServerError::Refused(line("ip", &words), error.to_string()))
}

fn ip(words: &[&str]) -> Result<(), RealServerError> {
    run("ip", words).map(drop)
}

fn run(program: &str, words: &[&str]) -> Result<String, RealServerError> {
    let output = output(program, words)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it failed").trim();
    Err(RealServerError::Refused(line(program, words), said.to_owned()))
}

fn output(program: &str, words: &[&str]) -> Result<Output, RealServerError> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command.output().map_err(|error| RealServerError::Command(program.to_owned(), error))
}

fn line(program: &str, words: &[&str]) -> String {
    [&[program], words].concat().join(" ")
}
