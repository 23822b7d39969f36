//! How the hooks of two readings of a file differ.

use super::Step;
use crate::model::health::{ChangeHook, Occasion};

/// The hooks of a file, in its order.
pub type Hooks = Vec<ChangeHook>;

/// What makes `new` of `old`, a step for each hook that goes or comes; their order is no difference.
#[must_use]
pub fn hook_steps(old: &[ChangeHook], new: &[ChangeHook]) -> Vec<Step> {
    let mut comes = new.to_vec();
    let mut steps = Vec::new();
    for hook in old {
        match comes.iter().position(|it| it == hook) {
            Some(stays) => drop(comes.remove(stays)),
            None => steps.push(step(format!("- hook {}", name(hook)))),
        }
    }
    steps.extend(comes.iter().map(|hook| step(format!("+ hook {}: {}", name(hook), terms(hook)))));
    steps
}

fn step(text: String) -> Step {
    Step { text, connections: None, changes: Vec::new() }
}

fn name(hook: &ChangeHook) -> String {
    hook.command.join(" ")
}

fn terms(hook: &ChangeHook) -> String {
    let on: Vec<_> = hook.on.iter().map(|occasion| Occasion::word(*occasion)).collect();
    let on = if on.is_empty() { String::new() } else { format!(", on {}", on.join(" ")) };
    format!("timeout {}{on}", hook.limit())
}
