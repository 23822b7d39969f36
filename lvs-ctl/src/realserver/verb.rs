//! `lvs-ctl realserver …`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{
    RealServerError,
    machine::ThisHost,
    record::{DEFAULT_FILE, RecordFile},
    setting::{Change, Family},
    setup::{Method, Setup, TunType},
    work::{self, Undone},
};
use crate::{
    cli::table::table,
    dataplane::kernel::decap::{Decap, End, Vips},
};

/// What to do on a real server's host.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Have this host take the director's packets
    #[command(after_help = "Examples:\n  \
        lvs-ctl realserver setup --method dr --vip 192.168.4.15 --interface eth0 --plan\n  \
        lvs-ctl realserver setup --method tun --tun-type ipip --vip 192.168.4.15\n  \
        lvs-ctl realserver setup --method nat --vip 192.168.4.5 --gateway 192.168.2.1")]
    Setup(SetupArgs),
    /// Take back what was changed by `setup`
    Undo(Places),
    /// What was set up, and what is taken out of tunnels
    Show(Places),
    /// Whether all that was set up still stands; exit code 2 if not
    Check(Places),
    /// Take packets out of ipip, gue and gre where the kernel has no devices for it
    #[command(after_help = "Examples:\n  \
        lvs-ctl realserver decap --interface eth0 --vip 192.168.4.15\n  \
        lvs-ctl realserver decap --interface eth0 --detach")]
    Decap(DecapArgs),
}

/// Where things are kept.
#[derive(Args, Clone, Debug)]
pub struct Places {
    /// The file that remembers what was changed
    #[arg(long, value_name = "FILE", env = "LVS_REALSERVER", default_value = DEFAULT_FILE)]
    record: PathBuf,
    /// Directory on a bpffs for what takes packets out of tunnels
    #[arg(
        long,
        value_name = "DIR",
        env = "LVS_DECAP_PIN_DIR",
        default_value = "/sys/fs/bpf/lvs-decap"
    )]
    pin_dir: PathBuf,
}

/// A real server of one VIP.
#[derive(Args, Debug)]
pub struct SetupArgs {
    /// How the director forwards to this host
    #[arg(long, value_enum)]
    method: MethodName,
    /// The virtual service's address
    #[arg(long, value_name = "A")]
    vip: IpAddr,
    /// The interface that the packets come in by
    #[arg(long, short, value_name = "IF")]
    interface: Option<String>,
    /// TUN: the type of tunnel
    #[arg(long, value_enum, default_value = "ipip")]
    tun_type: TunType,
    /// TUN: the UDP port of gue
    #[arg(long, value_name = "PORT", default_value = "6080", value_parser = clap::value_parser!(u16).range(1..))]
    tun_port: u16,
    /// TUN: the family of this host's address [default: the VIP's]
    #[arg(long, value_enum)]
    outer: Option<Family>,
    /// NAT: the director's address on this host's network, to be the default route
    #[arg(long, value_name = "A")]
    gateway: Option<IpAddr>,
    /// Only show what would be changed; exit code 2 if anything
    #[arg(long, visible_alias = "dry-run")]
    plan: bool,
    #[command(flatten)]
    places: Places,
}

/// A forwarding method's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MethodName {
    /// Direct routing (`ipvsadm -g`)
    Dr,
    /// Masquerading (`ipvsadm -m`)
    Nat,
    /// Tunneling (`ipvsadm -i`)
    Tun,
}

/// The end of tunnels of an interface.
#[derive(Args, Debug)]
pub struct DecapArgs {
    /// The interface that outer packets come in by
    #[arg(long, short, value_name = "IF")]
    interface: String,
    /// A VIP whose packets are taken out (may be repeated); adds to those of before
    #[arg(long, value_name = "A", required_unless_present = "detach")]
    vip: Vec<IpAddr>,
    /// The UDP port of gue
    #[arg(long, value_name = "PORT", default_value = "6080", value_parser = clap::value_parser!(u16).range(1..))]
    tun_port: u16,
    /// Let packets pass as they are again
    #[arg(long, conflicts_with = "vip")]
    detach: bool,
    #[command(flatten)]
    places: Places,
}

/// What a verb has to say.
#[derive(Debug)]
pub struct Said {
    /// For standard output.
    pub text: String,
    /// It was asked for a difference, and there is one.
    pub differs: bool,
}

impl Verb {
    /// Carries it out.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn run(self) -> Result<Said, RealServerError> {
        match self {
            Self::Setup(arguments) => arguments.run(),
            Self::Undo(places) => undo(&places),
            Self::Show(places) => show(&places),
            Self::Check(places) => check(&places),
            Self::Decap(arguments) => arguments.run(),
        }
    }
}

impl SetupArgs {
    fn run(self) -> Result<Said, RealServerError> {
        let setup = self.setup()?;
        if !self.plan {
            need_root()?;
        }
        let changes = work::plan(&ThisHost, &setup)?;
        let mut text = changes_text(&changes);
        if !self.plan {
            let file = RecordFile::at(&self.places.record);
            work::make(&ThisHost, &file, &setup, &changes)?;
        }
        if setup.method == (Method::Nat { gateway: None }) {
            text.push_str(&gateway_text(&setup)?);
        }
        Ok(Said { text, differs: self.plan && !changes.is_empty() })
    }

    fn setup(&self) -> Result<Setup, RealServerError> {
        if self.gateway.is_some() && self.method != MethodName::Nat {
            return Err(RealServerError::Makes("only NAT has its answers go through --gateway"));
        }
        let method = match self.method {
            MethodName::Dr => Method::Dr,
            MethodName::Nat => Method::Nat { gateway: self.gateway },
            MethodName::Tun => Method::Tun {
                kind: self.tun_type,
                outer: self.outer.unwrap_or(Family::of(self.vip)),
                port: self.tun_port,
            },
        };
        Ok(Setup { method, vip: self.vip, interface: self.interface.clone() })
    }
}

impl DecapArgs {
    fn run(self) -> Result<Said, RealServerError> {
        need_root()?;
        let decap = Decap::at(&self.places.pin_dir);
        let interface = &self.interface;
        if self.detach {
            let was = decap.detach(interface)?;
            let text = if was { "packets pass as they are" } else { "nothing was attached" };
            return Ok(Said { text: format!("{interface}: {text}\n"), differs: false });
        }
        if !work::Machine::has_interface(&ThisHost, interface)? {
            return Err(RealServerError::NoInterface(interface.clone()));
        }
        let vips: Vips = self.vip.iter().map(|vip| (*vip, self.tun_port)).collect();
        decap.attach(interface, &vips)?;
        let ends = decap.ends()?;
        let text = ends_text(ends.iter().filter(|end| end.interface == *interface));
        Ok(Said { text, differs: false })
    }
}

fn undo(places: &Places) -> Result<Said, RealServerError> {
    need_root()?;
    let undone = work::undo(&ThisHost, &RecordFile::at(&places.record))?;
    let rows: Vec<_> = undone
        .iter()
        .map(|(change, undone)| {
            let what = match undone {
                Undone::Restored => format!("{} again", shown(change.before.as_deref())),
                Undone::WasSo => format!("{} already", shown(change.before.as_deref())),
                Undone::Left(now) => {
                    format!("left at {}: not what setup made it", shown(now.as_deref()))
                }
            };
            [change.setting.to_string(), what]
        })
        .collect();
    let text = if rows.is_empty() {
        "nothing was set up\n".to_owned()
    } else {
        table(&["SETTING", "NOW"], &rows)
    };
    Ok(Said { text, differs: false })
}

fn show(places: &Places) -> Result<Said, RealServerError> {
    let record = RecordFile::at(&places.record).read()?;
    let mut text = String::new();
    if !record.setups.is_empty() {
        let rows: Vec<_> = record.setups.iter().map(setup_row).collect();
        text =
            table(&["VIP", "METHOD", "INTERFACE"], &rows) + "\n" + &changes_text(&record.changes);
    }
    let ends = ends(&places.pin_dir)?;
    if !ends.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        text = text + gap + &ends_text(ends.iter());
    }
    if text.is_empty() {
        text.push_str("nothing was set up\n");
    }
    Ok(Said { text, differs: false })
}

fn check(places: &Places) -> Result<Said, RealServerError> {
    let record = RecordFile::at(&places.record).read()?;
    let mut rows = Vec::new();
    for setup in &record.setups {
        for Change { setting, before, after } in work::plan(&ThisHost, setup)? {
            let [vip, method, _] = setup_row(setup);
            let cells = [shown(before.as_deref()), shown(after.as_deref())].map(str::to_owned);
            let [is, wanted] = cells;
            rows.push([vip, method, setting.to_string(), is, wanted]);
        }
    }
    let text = match (rows.is_empty(), record.setups.is_empty()) {
        (true, true) => "nothing was set up\n".to_owned(),
        (true, false) => "all stands as it was set up\n".to_owned(),
        (false, _) => table(&["VIP", "METHOD", "SETTING", "IS", "SHOULD BE"], &rows),
    };
    Ok(Said { text, differs: !rows.is_empty() })
}

fn ends(pin_dir: &Path) -> Result<Vec<End>, RealServerError> {
    // Without root nobody can look.
    Ok(if nix::unistd::geteuid().is_root() { Decap::at(pin_dir).ends()? } else { Vec::new() })
}

fn need_root() -> Result<(), RealServerError> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(RealServerError::NotRoot) }
}

fn changes_text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing to change\n".to_owned();
    }
    let rows: Vec<_> = changes
        .iter()
        .map(|Change { setting, before, after }| {
            [setting.to_string(), shown(before.as_deref()).into(), shown(after.as_deref()).into()]
        })
        .collect();
    table(&["SETTING", "BEFORE", "AFTER"], &rows)
}

fn setup_row(setup: &Setup) -> [String; 3] {
    let method = match setup.method {
        Method::Dr => "dr".to_owned(),
        Method::Nat { gateway: None } => "nat".to_owned(),
        Method::Nat { gateway: Some(gateway) } => format!("nat via {gateway}"),
        Method::Tun { kind: TunType::Gue, port, .. } => format!("tun gue:{port}"),
        Method::Tun { kind, .. } => format!("tun {kind:?}").to_lowercase(),
    };
    let interface = setup.interface.clone().unwrap_or_else(|| "-".to_owned());
    [setup.vip.to_string(), method, interface]
}

/// NAT without a gateway told: what it needs, and what there is.
fn gateway_text(setup: &Setup) -> Result<String, RealServerError> {
    let family = Family::of(setup.vip);
    let route = super::setting::Setting::DefaultRoute(family);
    let now = work::Machine::get(&ThisHost, &route)?;
    Ok(format!(
        "answers to clients must go through the director: its address on this network has to be the \
         default route (--gateway A sets it)\nnow: {}\n",
        now.as_deref().unwrap_or("no default route")
    ))
}

fn ends_text<'e>(ends: impl Iterator<Item = &'e End>) -> String {
    let mut rows = Vec::new();
    let mut counts = Vec::new();
    for end in ends {
        for (vip, port) in &end.vips {
            rows.push([end.interface.clone(), vip.to_string(), format!("ipip, gre, gue:{port}")]);
        }
        for (count, packets) in end.counts {
            counts.push([end.interface.clone(), packets.to_string(), count.words().to_owned()]);
        }
    }
    table(&["INTERFACE", "VIP", "TAKEN OUT OF"], &rows)
        + "\n"
        + &table(&["INTERFACE", "PACKETS", "WHAT BECAME OF THEM"], &counts)
}

fn shown(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}
