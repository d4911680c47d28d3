//! `sluice dlq list`: how many letters of which reason and rule, and from when to when.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use schemas::text::plain;
use serde::Serialize;

use super::letter::Letter;
use crate::generate::iso;

/// Letters of one reason and rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Why they were refused.
    pub reason: String,
    /// The rule, or the stable word of what cannot be decoded.
    pub rule: Option<String>,
    /// How many.
    pub letters: u64,
    /// When the first was refused.
    pub first_seen: String,
    /// When the last was refused.
    pub last_seen: String,
    /// One of them, for `show`.
    pub example: String,
}

/// The groups, the largest first.
pub fn groups<'a>(letters: impl Iterator<Item = &'a Letter>) -> Vec<Group> {
    let mut found: BTreeMap<(&str, Option<&str>), Vec<&Letter>> = BTreeMap::new();
    for letter in letters {
        found.entry((letter.reason.as_str(), letter.rule.as_deref().or(letter.code()))).or_default().push(letter);
    }
    let at = |letter: &&Letter| letter.record.timestamp.ms;
    let mut groups: Vec<Group> = found
        .into_iter()
        .map(|((reason, rule), letters)| Group {
            reason: reason.to_owned(),
            rule: rule.map(str::to_owned),
            letters: letters.len() as u64,
            first_seen: iso(letters.iter().map(at).min().unwrap_or_default()),
            last_seen: iso(letters.iter().map(at).max().unwrap_or_default()),
            example: letters.first().map_or_else(String::new, |letter| letter.id()),
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.letters));
    groups
}

/// Writes them as a table.
///
/// # Errors
/// The writer's.
pub fn write(groups: &[Group], topic: &str, out: &mut dyn Write) -> io::Result<()> {
    if groups.is_empty() {
        return writeln!(out, "no dead letters in '{topic}'");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["REASON", "RULE", "LETTERS", "FIRST SEEN", "LAST SEEN", "EXAMPLE"]);
    for group in groups {
        let (rule, reason) = (plain(group.rule.as_deref().unwrap_or("-")), plain(&group.reason));
        let letters = group.letters.to_string();
        table.add_row([&*reason, &rule, &letters, &group.first_seen, &group.last_seen, &group.example]);
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")
}
