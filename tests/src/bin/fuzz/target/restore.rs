//! What is restored: line by line as ipvsadm does, and as a whole as `lvs-ctl restore` does.

use std::fs;

use anyhow::{Result, ensure};
use clap::Parser as _;
use lvs_ctl::cli::{Context, ipvsadm::Program};

use super::{Target, ipvsadm::WORDS, lvs_ctl::Line};
use crate::controller::{Controller, Ports};

const EXAMPLES: [&str; 4] = [
    "-A -t 192.0.2.1:80 -s wrr\n-a -t 192.0.2.1:80 -r 192.0.2.11:8080 -m -w 3\n",
    "# comment\n-A -u 192.0.2.1:53 -s sh -p 360\n\nipvsadm -A -f 3 -s rr\n-a -f 3 -r 192.0.2.9:0 -g -w 1\n",
    "-A -t [2001:db8::1]:80 -s mh -b mh-port\n-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i -w 1\n",
    "--set 7 8 9\n-A -t 192.0.2.1:80\n-L -n\n-D -t 192.0.2.1:80\n-A -t 192.0.2.1:81\n",
];

pub(super) struct Restore {
    controller: Controller,
}

impl Restore {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { controller: Controller::start()? })
    }

    /// `lvs-ctl restore`: all or nothing.
    fn whole(&mut self, input: &[u8]) -> Result<String> {
        let before = self.controller.before()?;
        let file = self.controller.file();
        fs::write(&file, input)?;
        let line = Line::try_parse_from(["lvs-ctl", "restore", &file.display().to_string()])?;
        let (mut output, mut error) = (Vec::new(), Vec::new());
        let mut context = Context {
            controller: &mut self.controller.client,
            names: &Ports,
            output: &mut output,
            error: &mut error,
        };
        let result = line.verb.run(&mut context);
        let after = self.controller.after()?;
        match result {
            Ok(_) => Ok(format!("restored {}", after == before)),
            Err(failure) => {
                ensure!(after == before, "refused ({failure}), but\n{before:?}\nis now\n{after:?}");
                Ok(failure.to_string())
            }
        }
    }
}

impl Target for Restore {
    fn examples(&self) -> Vec<Vec<u8>> {
        EXAMPLES.map(|text| text.as_bytes().to_vec()).to_vec()
    }

    fn words(&self) -> &'static [&'static str] {
        WORDS
    }

    fn feed(&mut self, input: &[u8]) -> Result<String> {
        let whole = self.whole(input)?;
        self.controller.before()?;
        let (exit, said) = self.controller.ipvsadm(Program::Restore, &[], input);
        ensure!(matches!(exit, 0 | 1 | 2 | 255), "exit code {exit}");
        ensure!(exit == 0 || !said.is_empty(), "exit code {exit} without a word");
        self.controller.after()?;
        Ok(format!("{whole} {exit} {said}"))
    }
}
