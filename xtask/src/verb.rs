//! What a verb of `cargo xtask` is, and the table macro that makes the command line of them.

use anyhow::Result;

use crate::setup::{self, Needs};

/// One verb: its fields are its arguments, its doc comment is its help.
pub(crate) trait Verb: clap::Args {
    /// How much of the machine it needs set up.
    const NEEDS: Needs;

    /// Does the work.
    fn run(self) -> Result<()>;
}

/// Sets the machine up as far as the verb needs it, then runs the verb.
pub(crate) fn perform<V: Verb>(verb: V) -> Result<()> {
    setup::ensure(V::NEEDS)?;
    verb.run()
}

/// Declares `mod file;` and the subcommand for every `file::Verb`.
macro_rules! verbs {
    ($($file:ident::$Verb:ident,)*) => {
        $(mod $file;)*

        #[derive(clap::Subcommand)]
        enum Verbs {
            $($Verb($file::$Verb),)*
        }

        impl Verbs {
            fn perform(self) -> anyhow::Result<()> {
                match self {
                    $(Self::$Verb(verb) => $crate::verb::perform(verb),)*
                }
            }
        }
    };
}
pub(crate) use verbs;
