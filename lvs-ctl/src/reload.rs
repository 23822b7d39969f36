//! The configuration file read again: by a signal, or because somebody asked.

#![forbid(unsafe_code)]

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use utoipa::ToSchema;

use crate::{
    config::{
        Config, ConfigError, Hooks, Mistake, Overrides, Setup, Standing, Step, difference,
        hook_steps,
    },
    director::{ChangeRequest, DirectorError, Handle, ListQuery, Who},
    notify,
};

/// How often it begins anew because somebody else changed the table meanwhile.
const ATTEMPTS: usize = 8;

/// What a file changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// The table's revision now.
    pub revision: u64,
    /// The steps that were made, in order.
    pub steps: Vec<Step>,
    /// What the file says that does not hold before a new start, a remark each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

/// Why a file changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The director refuses what stands at a place of the file.
    #[error(transparent)]
    Refused(#[from] Mistake),
    /// The director does nothing.
    #[error(transparent)]
    Director(#[from] DirectorError),
    /// Others change the table all the time.
    #[error("the table changes too fast")]
    TooFast,
}

/// Somebody asked.
#[derive(Debug)]
pub struct Asked {
    /// Who.
    pub who: Who,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Applied, ReloadError>>,
}

/// The file that a controller started with, and where it goes.
#[derive(Debug)]
pub struct Reloader {
    handle: Handle,
    file: PathBuf,
    overrides: Overrides,
    setup: Setup,
    hooks: watch::Sender<Hooks>,
}

/// Makes the table say what `config` declares, on somebody's behalf: all of it, or none.
///
/// # Errors
/// Nothing has changed then.
pub async fn declare(handle: &Handle, config: &Config, who: &Who) -> Result<Applied, ReloadError> {
    // Whoever asked: the file is the one that the controller was told to obey.
    let who = who.clone().may_exec();
    for _ in 0..ATTEMPTS {
        let standing = Standing {
            listing: handle.listing(ListQuery::default()).await?,
            timeouts: handle.settings().await?.timeouts,
            tunables: handle.tunables().await?,
            marks: handle.marks().await?,
        };
        let revision = standing.listing.revision;
        let difference = difference(&config.rules, &standing);
        if difference.is_empty() {
            return Ok(Applied { revision, steps: Vec::new(), waiting: Vec::new() });
        }
        let request = ChangeRequest {
            changes: difference.changes(),
            all_or_nothing: true,
            if_revision: Some(revision),
        };
        match handle.change_for(who.clone(), request).await {
            Ok(changed) => {
                let revision = changed.revision;
                return Ok(Applied { revision, steps: difference.steps, waiting: Vec::new() });
            }
            Err(DirectorError::Stale { .. }) => (),
            Err(DirectorError::Refused { index, invalid }) => {
                let words = invalid.detail().unwrap_or_else(|| invalid.to_string());
                return Err(config.blame(&difference.key(index), words.trim()).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ReloadError::TooFast)
}

impl Reloader {
    /// Reads `file` again for a director that was set up so, and whose hooks are told by `hooks`.
    #[must_use]
    pub fn new(
        handle: Handle,
        file: PathBuf,
        overrides: Overrides,
        setup: Setup,
        hooks: watch::Sender<Hooks>,
    ) -> Self {
        Self { handle, file, overrides, setup, hooks }
    }

    /// Reads the file whenever `SIGHUP` comes or somebody asks, until the task is aborted.
    ///
    /// # Errors
    /// The signal cannot be awaited.
    pub fn spawn(self) -> io::Result<(mpsc::Sender<Asked>, JoinHandle<()>)> {
        let hangup = signal(SignalKind::hangup())?;
        let (sender, receiver) = mpsc::channel(8);
        Ok((sender, tokio::spawn(self.serve(hangup, receiver))))
    }

    async fn serve(self, mut hangup: Signal, mut asked: mpsc::Receiver<Asked>) {
        loop {
            let (who, answer) = tokio::select! {
                Some(()) = hangup.recv() => (Who::new("SIGHUP"), None),
                Some(Asked { who, answer }) = asked.recv() => (who, Some(answer)),
                else => return,
            };
            let reloading = notify::reloading();
            let done = self.reload(&who).await;
            drop(reloading);
            match &done {
                Ok(applied) => log(applied),
                Err(error) => tracing::error!(%error, "the configuration file changes nothing"),
            }
            if let Some(answer) = answer {
                // Whoever asked may be gone.
                answer.send(done).ok();
            }
        }
    }

    async fn reload(&self, who: &Who) -> Result<Applied, ReloadError> {
        let file = self.file.clone();
        let config = tokio::task::spawn_blocking(move || Config::read(&file)).await;
        let config = config.map_err(|_stopping| DirectorError::Stopped)??;
        let waiting = self.setup.waiting(&Setup::new(&self.overrides, &config.file));
        let mut applied = declare(&self.handle, &config, who).await?;
        applied.steps.extend(self.follow_hooks(config.file.hooks));
        Ok(Applied { waiting, ..applied })
    }

    /// Has these hooks told from now on: how they differ from the former ones.
    fn follow_hooks(&self, hooks: Hooks) -> Vec<Step> {
        let steps = hook_steps(&self.hooks.borrow(), &hooks);
        self.hooks.send_if_modified(|former| {
            let differs = *former != hooks;
            *former = hooks;
            differs
        });
        steps
    }
}

fn log(applied: &Applied) {
    for step in &applied.steps {
        tracing::info!("{step}");
    }
    for remark in &applied.waiting {
        tracing::warn!("{remark}");
    }
    tracing::info!(revision = applied.revision, "the configuration file is applied");
}
