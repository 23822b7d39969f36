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
//! A hook is told one change after the other, in their order.

use std::{collections::HashMap, sync::Arc};

use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    task::JoinHandle,
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

/// Runs `hooks` whenever health changes something, until the director has stopped.
pub async fn run(director: Handle, hooks: Vec<ChangeHook>) {
    if hooks.is_empty() {
        return;
    }
    let Ok(events) = director.watch().await else { return };
    // Only the director's own end ends this.
    drop(director);
    follow(events, hooks).await;
}

async fn follow(mut events: broadcast::Receiver<Arc<Event>>, hooks: Vec<ChangeHook>) {
    let queues: Vec<Queue> = hooks.into_iter().map(Queue::new).collect();
    let mut memory = Memory::default();
    loop {
        match events.recv().await {
            Ok(event) => {
                for notice in event.health.iter().filter_map(|change| memory.notice(change)) {
                    let notice = Arc::new(notice);
                    for queue in &queues {
                        queue.push(&notice);
                    }
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "hooks are not told of some changes: there were too many");
            }
            Err(RecvError::Closed) => return,
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

/// What one hook has not been told yet; it is told no more when this ends.
struct Queue {
    hook: Arc<ChangeHook>,
    sender: mpsc::Sender<Arc<Notice>>,
    task: JoinHandle<()>,
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

impl Queue {
    fn new(hook: ChangeHook) -> Self {
        let hook = Arc::new(hook);
        let (sender, mut receiver) = mpsc::channel::<Arc<Notice>>(WAITING);
        let told = hook.clone();
        let task = tokio::spawn(async move {
            while let Some(notice) = receiver.recv().await {
                tell(&told, &notice).await;
            }
        });
        Self { hook, sender, task }
    }

    fn push(&self, notice: &Arc<Notice>) {
        if self.hook.wants(notice.occasion) && self.sender.try_send(notice.clone()).is_err() {
            tracing::warn!(command = ?self.hook.command, "a hook is too slow and misses a change");
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.task.abort();
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
