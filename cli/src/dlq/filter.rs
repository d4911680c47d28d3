//! Which letters are meant.

use super::letter::Letter;
use crate::generate::instant;

/// Flags that choose letters; all that are given must hold.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// Only those refused for this reason: Undecodable, Invalid or Late
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only those that break this rule
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only those refused at or after this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<i64>,
    /// Only those refused before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<i64>,
}

impl Filter {
    /// Whether a letter is meant.
    pub fn takes(&self, letter: &Letter) -> bool {
        let at = letter.record.timestamp.ms;
        self.reason.as_ref().is_none_or(|reason| letter.reason.eq_ignore_ascii_case(reason))
            && self.rule.as_ref().is_none_or(|rule| letter.rule.as_ref() == Some(rule))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}
