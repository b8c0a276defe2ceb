//! `break-glass`: codes made in advance, and reviews of what they were used for.

use clap::Subcommand;
use jit_core::breakglass::MOST_CODES;
use jit_core::id::GrantId;
use jit_core::name::{Login, PersonName, Reason};

/// `break-glass`
#[derive(Debug, Subcommand)]
pub enum BreakGlass {
    /// Make new codes; those left of the old ones are void
    #[command(after_help = "\
Shown once. Print them, one envelope each, seal them and lock them away. A member of [break_glass]
in jit.toml types one at the code prompt of ssh or sudo, with their own key and a reason. It lets in
once, for the window set there, and everybody on the host is told. The next one works when somebody
else has reviewed it.

Examples:
  jitctl break-glass create
  jitctl break-glass create --count 3 --for-login root")]
    Create {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 5,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CODES)))]
        count: u32,
        /// For this login alone, of those that the configuration names; may be repeated
        #[arg(long = "for-login", value_name = "LOGIN", value_parser = Login::parse)]
        logins: Vec<Login>,
    },
    /// Show what codes were used for, who reviewed it, and how many are left
    List,
    /// Say what you found of a use, so that the next code works
    #[command(after_help = "\
Somebody else than who used the code, who proves it with a code of their own. --alone is for root
where there is nobody else, and marked so.

Examples:
  jitctl break-glass review k7q2-m9xd --as bob --note 'the database was down, alice restarted it'
  jitctl break-glass review k7q2-m9xd --alone --note 'I am the only one here'")]
    Review {
        /// The use, as list shows it
        id: GrantId,
        /// Who reviews it
        #[arg(long = "as", value_name = "PERSON", required_unless_present = "alone")]
        reviewer: Option<PersonName>,
        /// By root alone; the log says so
        #[arg(long, conflicts_with = "reviewer")]
        alone: bool,
        /// What came of it
        #[arg(long, value_name = "TEXT", value_parser = Reason::parse)]
        note: Reason,
    },
}
