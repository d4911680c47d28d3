//! The outcome for people.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{Table, presets};
use schemas::text::plain;

use super::{Outcome, Verified};
use crate::dev::figures::{grouped, length};

/// Writes the windows that are not equal (or all), and the sums.
pub(super) fn write(
    pipeline: &str,
    verified: &Verified,
    all: bool,
    took: Duration,
    out: &mut dyn Write,
) -> io::Result<()> {
    let listed: Vec<_> = verified.windows.iter().filter(|window| all || window.outcome != Outcome::Equal).collect();
    if !listed.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["WINDOW", "OUTPUT", "OUTCOME", "DETAIL"]);
        for window in listed {
            table.add_row([
                &*plain(&window.window),
                &window.output.to_string(),
                word(window.outcome),
                &plain(&window.detail),
            ]);
        }
        writeln!(out, "{table}\n")?;
    }
    let (windows, records) = (grouped(verified.windows.len()), grouped(verified.records));
    writeln!(out, "{windows} windows of '{pipeline}' against {records} records of the log in {}", length(took))?;
    for outcome in [Outcome::Equal, Outcome::Different, Outcome::Missing, Outcome::Unknown] {
        let count = grouped(verified.count(outcome));
        let word = word(outcome);
        writeln!(out, "  {word:32} {count:>9}")?;
    }
    if verified.windows.is_empty() {
        writeln!(out, "nothing is published yet")?;
    }
    Ok(())
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Equal => "equal",
        Outcome::Different => "different",
        Outcome::Missing => "missing",
        Outcome::Unknown => "cannot be recomputed any more",
    }
}
