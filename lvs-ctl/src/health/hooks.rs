//! Programs of the operator that are told what health changes.
//!
//! Beside what checks are told of service and real server ([`super::probe`]):
//!
//! | | |
//! | --- | --- |
//! | `LVS_EVENT` | `up`, `down`, `weight`, `cause` or `quorum` |
//! | `LVS_BEFORE`, `LVS_AFTER` | the weight that the real server got and gets, or `absent`; of a quorum `met`, `backup` or `lost` |
//! | `LVS_CAUSE` | why, in words; not of a quorum |
//!
//! A hook is told one change after the other, in their order. Hooks may change: who is gone is still
//! told what had happened by then.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, watch,
    },
    task::JoinSet,
    time::timeout,
};

use super::program::{Environment, Running, about};
use crate::{
    director::{Event, Handle, HealthChange},
    model::{
        DestAddr, ServiceId,
        health::{ChangeHook, Effective, Gate, Health, Occasion},
    },
};

/// So many changes wait for a hook that takes its time.
const WAITING: usize = 1024;

/// Runs the hooks that there are whenever health changes something, until the director has stopped.
pub async fn run(director: Handle, hooks: watch::Receiver<Vec<ChangeHook>>) {
    let Ok(events) = director.watch().await else { return };
    // Only the director's own end ends this.
    drop(director);
    follow(events, hooks).await;
}

async fn follow(
    mut events: broadcast::Receiver<Arc<Event>>,
    mut hooks: watch::Receiver<Vec<ChangeHook>>,
) {
    let mut told = Told::default();
    let mut memory = Memory::default();
    hooks.mark_changed();
    loop {
        // Whoever changed them may rely on it that the new ones are told what comes.
        tokio::select! {
            biased;
            Ok(()) = hooks.changed() => told.follow(&hooks.borrow_and_update()),
            event = events.recv() => match event {
                Ok(event) => {
                    event.health.iter().filter_map(|it| memory.notice(it)).for_each(|it| told.push(it));
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "hooks are not told of some changes: there were too many");
                }
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// What hooks are told.
#[derive(Debug, PartialEq, Eq)]
struct Notice {
    occasion: Occasion,
    environment: Environment,
}

/// What was known of each real server when hooks were last told.
#[derive(Debug, Default)]
struct Memory(HashMap<(ServiceId, DestAddr), Health>);

/// The hooks that are told, and the tasks that tell them; nobody is told anything after this.
#[derive(Default)]
struct Told {
    queues: Vec<Queue>,
    /// Those of former hooks end when all is told.
    tasks: JoinSet<()>,
}

/// What one hook has not been told yet.
struct Queue {
    hook: Arc<ChangeHook>,
    sender: mpsc::Sender<Arc<Notice>>,
}

impl Memory {
    /// What is told of a change, if it is worth a word.
    fn notice(&mut self, change: &HealthChange) -> Option<Notice> {
        let gets = |gets: &Effective| match gets {
            Effective::Weight(weight) => weight.to_string(),
            Effective::Absent => "absent".to_owned(),
        };
        match change {
            HealthChange::Dest { service, dest, health, before, after, cause } => {
                let former = self.0.insert((*service, *dest), *health).unwrap_or_default();
                let occasion = match (former, *health) {
                    (Health::Up | Health::Unknown, Health::Down) => Occasion::Down,
                    (Health::Down, Health::Up) => Occasion::Up,
                    // It was down before this controller started.
                    (Health::Unknown, Health::Up) if before != after => Occasion::Up,
                    _ if before != after => Occasion::Weight,
                    (Health::Down, Health::Down) => Occasion::Cause,
                    _ => return None,
                };
                let mut environment = about(*service, Some(dest));
                environment.extend([
                    ("LVS_EVENT", occasion.word().to_owned()),
                    ("LVS_BEFORE", gets(before)),
                    ("LVS_AFTER", gets(after)),
                    ("LVS_CAUSE", cause.replace('\0', "")),
                ]);
                Some(Notice { occasion, environment })
            }
            HealthChange::Quorum { service, before, after } => {
                let mut environment = about(*service, None);
                environment.extend([
                    ("LVS_EVENT", Occasion::Quorum.word().to_owned()),
                    ("LVS_BEFORE", side(*before).to_owned()),
                    ("LVS_AFTER", side(*after).to_owned()),
                ]);
                Some(Notice { occasion: Occasion::Quorum, environment })
            }
        }
    }
}

impl Told {
    /// These hooks and no others from now on; one that was there before does not notice.
    fn follow(&mut self, hooks: &[ChangeHook]) {
        while self.tasks.try_join_next().is_some() {}
        let mut former = std::mem::take(&mut self.queues);
        for hook in hooks {
            let known = former.iter().position(|queue| *queue.hook == *hook);
            let queue = match known {
                Some(known) => former.swap_remove(known),
                None => self.start(hook.clone()),
            };
            self.queues.push(queue);
        }
    }

    fn start(&mut self, hook: ChangeHook) -> Queue {
        let hook = Arc::new(hook);
        let (sender, mut receiver) = mpsc::channel::<Arc<Notice>>(WAITING);
        let told = hook.clone();
        self.tasks.spawn(async move {
            while let Some(notice) = receiver.recv().await {
                tell(&told, &notice).await;
            }
        });
        Queue { hook, sender }
    }

    fn push(&self, notice: Notice) {
        let notice = Arc::new(notice);
        self.queues.iter().for_each(|queue| queue.push(&notice));
    }
}

impl Queue {
    fn push(&self, notice: &Arc<Notice>) {
        if self.hook.wants(notice.occasion) && self.sender.try_send(notice.clone()).is_err() {
            tracing::warn!(command = ?self.hook.command, "a hook is too slow and misses a change");
        }
    }
}

async fn tell(hook: &ChangeHook, notice: &Notice) {
    let command = &hook.command;
    let running = match Running::start(command, notice.environment.clone()) {
        Ok(running) => running,
        Err(error) => {
            tracing::warn!(?command, %error, "a hook cannot be run");
            return;
        }
    };
    match timeout(hook.limit().duration(), running.end()).await {
        Ok(Ok(status)) if status.success() => (),
        Ok(Ok(status)) => tracing::warn!(?command, %status, "a hook has failed"),
        Ok(Err(error)) => tracing::warn!(?command, %error, "a hook is lost"),
        Err(_late) => {
            let limit = hook.limit();
            tracing::warn!(?command, %limit, "a hook was killed: it took too long");
        }
    }
}

fn side(gate: Gate) -> &'static str {
    match gate {
        Gate::Met => "met",
        Gate::Backup => "backup",
        Gate::Lost => "lost",
    }
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;
