//! Runs inside the lab: the services of a real server, or a whole lab to look around in.
#![forbid(unsafe_code)]

use std::{
    io::Write as _,
    sync::{Arc, mpsc},
    thread,
};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use lvs_tests::{
    decap,
    offload::Offload,
    serve::{echo, http, listen, listen_sctp, udp},
    topology::Topology,
    tunnel::GUE_PORT,
    web::{READY, Services},
};

/// A peer in the lab
#[derive(Parser)]
#[command(version)]
enum Arguments {
    /// Serve HTTP, TCP echo and UDP echo until killed; prints "ready" when all ports are open
    Serve {
        /// The name to answer
        #[arg(long)]
        name: String,
        /// HTTP port (may be repeated)
        #[arg(long)]
        http: Vec<u16>,
        /// TCP echo port (may be repeated)
        #[arg(long)]
        echo: Vec<u16>,
        /// UDP echo port (may be repeated)
        #[arg(long)]
        udp: Vec<u16>,
        /// SCTP echo port (may be repeated)
        #[arg(long)]
        sctp: Vec<u16>,
    },
    /// Take packets out of ipip, gre and gue tunnels until killed; prints "ready" when it does
    Decap {
        /// The UDP port of gue
        #[arg(long, default_value_t = GUE_PORT)]
        gue: u16,
        /// The name of the device that they come out of
        #[arg(long, default_value = decap::DEVICE)]
        device: String,
    },
    /// Set up a lab with running real servers, show its namespaces, keep it until Ctrl-C
    Stand {
        /// Which of the operator's manual's clusters
        #[arg(value_enum)]
        layout: Layout,
        /// Leave the director's links as the kernel makes them (native XDP will not forward)
        #[arg(long)]
        untouched: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    /// The NAT cluster
    Nat,
    /// The DR cluster
    Dr,
    /// Both behind one director
    Manual,
}

fn main() -> Result<()> {
    match Arguments::parse() {
        Arguments::Serve { name, http, echo, udp, sctp } => {
            serve(name, &Services { http, echo, udp, sctp })
        }
        Arguments::Decap { gue, device } => decapsulate(gue, &device),
        Arguments::Stand { layout, untouched } => {
            stand(layout, if untouched { Offload::Untouched } else { Offload::Prepared })
        }
    }
}

fn serve(name: String, services: &Services) -> Result<()> {
    let name: &'static str = name.leak();
    for &port in &services.http {
        let listener = listen(port).with_context(|| format!("HTTP port {port}"))?;
        thread::spawn(move || http::serve(&listener, name));
    }
    for &port in &services.echo {
        let listener = listen(port).with_context(|| format!("TCP echo port {port}"))?;
        thread::spawn(move || echo::serve(&listener, name));
    }
    for &port in &services.udp {
        let socket = udp::bind(port).with_context(|| format!("UDP echo port {port}"))?;
        thread::spawn(move || udp::serve(&socket, name));
    }
    for &port in &services.sctp {
        let listener = listen_sctp(port).with_context(|| format!("SCTP echo port {port}"))?;
        thread::spawn(move || echo::serve(&listener, name));
    }
    say(READY)?;
    wait_for_ever()
}

fn decapsulate(gue: u16, device: &str) -> Result<()> {
    let device = Arc::new(decap::device(device)?);
    for (wrap, outer) in
        decap::Wrap::ALL.into_iter().flat_map(|wrap| decap::Outer::BOTH.map(|outer| (wrap, outer)))
    {
        let (socket, device) = (wrap.socket(outer, gue)?, Arc::clone(&device));
        thread::spawn(move || decap::serve(wrap, outer, &socket, &device));
    }
    say(READY)?;
    wait_for_ever()
}

fn stand(layout: Layout, offload: Offload) -> Result<()> {
    let topology = match layout {
        Layout::Nat => Topology::nat(offload),
        Layout::Dr => Topology::dr(offload),
        Layout::Manual => Topology::manual(offload),
    }?;
    let _running = topology.serve(&Services::usual())?;
    for host in topology.hosts() {
        say(&format!("{:10} nsenter --net=/run/netns/{}", host.name(), host.netns().name()))?;
    }
    say(READY)?;
    wait_for_ever()
}

fn say(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}

/// A signal ends the program.
fn wait_for_ever() -> Result<()> {
    let (_kept, never) = mpsc::channel::<()>();
    never.recv().context("nothing is ever sent")
}
