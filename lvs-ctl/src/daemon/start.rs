//! What a controller starts with: its command line and its configuration file.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use anyhow::bail;
use tokio::sync::watch;

use super::{Places, RunArgs};
use crate::{
    api::{DEFAULT_SOCKET, socket::Access},
    config::{Config, DEFAULT_FILE, File, Overrides, Setup},
    director::{Handle, Who},
    model::health::ChangeHook,
    reload::{self, Reloader},
};

/// Command line and file, read.
pub(super) struct Start {
    pub(super) setup: Setup,
    pub(super) pin_dir: PathBuf,
    overrides: Overrides,
    file: PathBuf,
    /// None if the default file is not there.
    config: Option<Config>,
}

impl Start {
    /// What `lvs-ctl run` starts with.
    ///
    /// # Errors
    /// The file cannot be used, or nobody named an interface.
    pub(super) fn read(args: RunArgs, socket: Option<PathBuf>) -> anyhow::Result<Self> {
        let RunArgs { interfaces, mode, connections, connections6, places, serving, logging: _ } =
            args;
        let (api, metrics) = serving.doors();
        let overrides = Overrides {
            interfaces,
            mode,
            connections,
            connections6,
            socket,
            group: serving.socket_group,
            permissions: serving.socket_mode,
            api,
            metrics,
            ..Overrides::default()
        };
        let start = Self::of(places, overrides)?;
        if start.setup.interfaces.is_empty() {
            bail!("no interface is named, neither by --interface nor in {}", start.file.display());
        }
        Ok(start)
    }

    /// What `overrides` and the file say.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(super) fn of(places: Places, overrides: Overrides) -> anyhow::Result<Self> {
        let Places { config, pin_dir, state_dir } = places;
        let overrides = Overrides { state_dir, ..overrides };
        let is_named = config.is_some();
        let file = config.unwrap_or_else(|| DEFAULT_FILE.into());
        let config = if is_named || file.exists() { Some(Config::read(&file)?) } else { None };
        let said = config.as_ref().map(|config| config.file.clone());
        let setup = Setup::new(&overrides, &said.unwrap_or_else(File::default));
        Ok(Self { setup, pin_dir, overrides, file, config })
    }

    /// Where the controller listens.
    pub(super) fn socket(&self) -> &Path {
        self.setup.socket.as_deref().unwrap_or_else(|| Path::new(DEFAULT_SOCKET))
    }

    /// Whose the socket is.
    pub(super) fn access(&self) -> Access {
        Access { mode: self.setup.permissions, group: self.setup.group.clone() }
    }

    /// Makes the rules what the file declares.
    ///
    /// # Errors
    /// The director refuses them; it has its former rules then.
    pub(super) async fn declare(&self, handle: &Handle) -> anyhow::Result<()> {
        let Some(config) = &self.config else { return Ok(()) };
        let applied = reload::declare(handle, config, &Who::new("configuration file")).await?;
        applied.steps.iter().for_each(|step| tracing::info!("{step}"));
        tracing::info!(file = %self.file.display(), "the configuration file is applied");
        Ok(())
    }

    /// The hooks that the file names.
    pub(super) fn hooks(&self) -> Vec<ChangeHook> {
        self.config.as_ref().map(|config| config.file.hooks.clone()).unwrap_or_default()
    }

    /// What reads the file again, and tells of its hooks.
    pub(super) fn reloader(
        &self,
        handle: Handle,
        hooks: watch::Sender<Vec<ChangeHook>>,
    ) -> Reloader {
        let (overrides, setup) = (self.overrides.clone(), self.setup.clone());
        Reloader::new(handle, self.file.clone(), overrides, setup, hooks)
    }
}
