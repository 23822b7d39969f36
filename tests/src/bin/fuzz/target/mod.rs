//! What is fed.

use anyhow::Result;

use crate::mutate::Mutator;

mod api;
mod config;
mod ipvsadm;
mod lvs_ctl;
mod packet;
mod restore;

/// Something that reads input.
pub(crate) trait Target {
    /// Input that it takes, to begin with.
    fn examples(&self) -> Vec<Vec<u8>>;

    /// Words that it knows.
    fn words(&self) -> &'static [&'static str];

    /// An input that was not there before, of others: text, unless it says something else.
    fn input(&self, mutator: &mut Mutator, corpus: &[Vec<u8>]) -> Vec<u8> {
        mutator.input(corpus)
    }

    /// Lets it read an input, and says in words what came of that; each line is an effect.
    ///
    /// # Errors
    /// It did what it must not do.
    fn feed(&mut self, input: &[u8]) -> Result<String>;
}

/// Makes one.
type Make = fn() -> Result<Box<dyn Target>>;

/// All of them, by name.
pub(crate) fn all() -> Vec<(&'static str, Make)> {
    vec![
        ("ipvsadm", || Ok(Box::new(ipvsadm::Ipvsadm::new()?))),
        ("restore", || Ok(Box::new(restore::Restore::new()?))),
        ("lvs-ctl", || Ok(Box::new(lvs_ctl::LvsCtl::new()?))),
        ("config", || Ok(Box::new(config::Configuration::new()?))),
        ("api", || Ok(Box::new(api::Api::new()?))),
        ("packet", || Ok(Box::new(packet::Packets))),
    ]
}

/// Text as lines of input.
fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}
