//! The scheduler flags of `-b`.

use super::refusal::{Refusal, usage};
use crate::{api::types::SchedulerFlags, model::text};

/// Longest list that is read; ipvsadm cuts the rest off.
const LIST_MAX: usize = 127;

/// Reads a list of flags, separated by commas, for `scheduler`.
pub(super) fn parse(scheduler: &str, list: &str) -> Result<SchedulerFlags, Refusal> {
    let mut list = list.to_owned();
    text::cut(&mut list, LIST_MAX);
    let mut flags = SchedulerFlags::default();
    for flag in list.split(',').filter(|flag| !flag.is_empty()) {
        let of = match flag {
            "sh-fallback" | "sh-port" => Some("sh"),
            "mh-fallback" | "mh-port" => Some("mh"),
            _ => None,
        };
        match flag {
            _ if of.is_some_and(|of| of != scheduler) => {
                return usage(format!("incompatible scheduler flag `{flag}'"));
            }
            "flag-1" | "sh-fallback" | "mh-fallback" => flags.flag_1 = true,
            "flag-2" | "sh-port" | "mh-port" => flags.flag_2 = true,
            "flag-3" => flags.flag_3 = true,
            _ => return usage(format!("invalid scheduler flag `{flag}'")),
        }
    }
    Ok(flags)
}
