//! What is not built yet: the project's own recordings that are told apart until it is.

use std::collections::BTreeSet;

use crate::recordings::Case;

/// What stands in the text of a case that needs something, and what it waits for.
const LATER: &[(&str, &str)] = &[];

/// What a case waits for.
pub(crate) fn later(case: &Case) -> Option<&'static str> {
    LATER.iter().find(|(text, _)| case.text.contains(text)).map(|(_, what)| *what)
}

/// All that cases wait for.
pub(crate) fn reasons() -> BTreeSet<&'static str> {
    LATER.iter().map(|(_, what)| *what).collect()
}
