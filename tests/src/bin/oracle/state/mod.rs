//! Connection states packet by packet: what arrived where, the connections and the real servers after every step.

mod player;
mod recorded;
mod stack;
mod step;

use anyhow::Result;
use lvs_tests::rig::Rig;

use self::player::Player;
pub(crate) use self::recorded::Recorded;

/// Plays a case; what differs.
///
/// # Errors
/// It cannot be played, or not to its end.
pub(crate) fn play(rig: &mut Rig<'_>, case: &Recorded) -> Result<Vec<String>> {
    let mut player = Player::set_up(rig, case)?;
    let mut differences = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let found = player.play(step)?;
        differences
            .extend(found.into_iter().map(|it| format!("step {number} ({}): {it}", step.act)));
    }
    Ok(differences)
}
