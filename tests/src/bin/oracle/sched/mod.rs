//! Scheduling: events, which real server each connection reached, and the table after every event.

mod player;
mod recorded;
mod stacks;

use anyhow::Result;
use lvs_tests::rig::Rig;

use self::player::Player;
pub(crate) use self::recorded::Recorded;

/// Events of which differences are told; those after them follow mostly from these.
const TOLD: usize = 3;

/// Plays a case; what differs.
///
/// # Errors
/// It cannot be played, or not to its end.
pub(crate) fn play(rig: &mut Rig<'_>, case: &Recorded) -> Result<Vec<String>> {
    let mut player = Player::set_up(rig, case)?;
    let mut differences = player.at_the_start();
    let mut differing = 0;
    for (number, event) in case.events.iter().enumerate() {
        let found = player.play(event)?;
        differing += usize::from(!found.is_empty());
        if differing <= TOLD {
            let told =
                found.into_iter().map(|it| format!("event {number} ({}): {it}", event.name()));
            differences.extend(told);
        }
    }
    if differing > TOLD {
        differences.push(format!("{differing} of {} events differ", case.events.len()));
    }
    if differing == 0 && player.chosen != case.chosen {
        differences.push("the list of what was chosen differs from the events".to_owned());
    }
    Ok(differences)
}
