//! nginx, as Debian ships it, on a real server.
#![forbid(unsafe_code)]

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{assert::eventually, process::Process, topology::Host};

/// Where Debian puts it, whatever `PATH` says.
const PROGRAM: &str = "/usr/sbin/nginx";

/// How long it may take to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A web server on port 80 that answers its host's name; dropped, it ends as in a power cut.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it and returns when it answers.
    ///
    /// # Errors
    ///
    /// When it is not installed or its port is taken: with what it said.
    pub fn start(host: &Host) -> Result<Self> {
        let name = host.name();
        let directory = host.netns().lab().directory();
        let place = |what: &str| directory.join(format!("nginx-{name}.{what}"));
        let (config, log) = (place("conf"), place("log"));
        // One process: whoever kills it has killed all of it.
        let text = format!(
            "daemon off;\nmaster_process off;\nerror_log {log} warn;\npid {pid};\n\
             events {{}}\n\
             http {{\n  access_log off;\n  server {{\n    listen 80;\n    listen [::]:80;\n    \
             location / {{\n      add_header X-Server {name};\n      return 200 \"{name}\\n\";\n    \
             }}\n  }}\n}}\n",
            log = log.display(),
            pid = place("pid").display(),
        );
        fs::write(&config, text)?;
        let mut command = host.netns().command(PROGRAM);
        command.arg("-e").arg(&log).arg("-c").arg(&config);
        let mut process = Process::start(command, &log)?;
        let answers = eventually("nginx answers", START_LIMIT, || match process.ended() {
            Ok(None) => host.client().get(([127, 0, 0, 1], 80), "/").ok().map(|_| Ok(())),
            Ok(Some(status)) => Some(Err(anyhow::anyhow!("nginx ended: {status}"))),
            Err(error) => Some(Err(error)),
        });
        match answers.flatten() {
            Ok(()) => Ok(Self { process }),
            Err(error) => bail!("{error:#}\n{}", process.log()),
        }
    }

    /// SIGKILL.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill().context("nginx")
    }
}
