//! Rows as a table for people, as CSV or as JSON.
//!
//! Keeps true: CSV follows RFC 4180 and JSON numbers have all their digits, both with every character as it is; a table acts on no
//! terminal, whatever the values are.

use std::borrow::Cow;
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use schemas::text::plain;

use super::Format;
use super::table::{Column, Rows};

/// Rows of a table that people are shown.
const MOST_ROWS: usize = 500;
/// Characters of one value in a table; CSV and JSON have all.
const MOST_CHARACTERS: usize = 120;

pub(super) fn write(rows: &Rows, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => {
            writeln!(out, "{}", rows.to_table(MOST_ROWS))?;
            let (all, plural) = (rows.rows.len(), if rows.rows.len() == 1 { "" } else { "s" });
            let cut = if all > MOST_ROWS {
                format!(", the first {MOST_ROWS} shown; -o csv gives all")
            } else {
                String::new()
            };
            writeln!(out, "{all} row{plural}{cut}")
        }
        Format::Csv => csv(rows, out),
        Format::Json => json(rows, out),
    }
}

impl Rows {
    /// A table of at most that many rows, numbers to the right.
    pub fn to_table(&self, most: usize) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let cell = |text: &str, column: &Column| {
            let alignment = if column.is_numeric() { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(short(&plain(text))).set_alignment(alignment)
        };
        table.set_header(self.columns.iter().map(|column| cell(&column.name, column)));
        for row in self.rows.iter().take(most) {
            table.add_row(
                row.iter().zip(&self.columns).map(|(text, column)| cell(text.as_deref().unwrap_or("null"), column)),
            );
        }
        table.to_string()
    }
}

/// A long text's beginning, and how long it is.
fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()).into(),
        None => text.into(),
    }
}

fn csv(rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let header: Vec<String> = rows.columns.iter().map(|column| quoted(&column.name)).collect();
    writeln!(out, "{}", header.join(","))?;
    for row in &rows.rows {
        let texts: Vec<String> = row.iter().map(|text| quoted(text.as_deref().unwrap_or_default())).collect();
        writeln!(out, "{}", texts.join(","))?;
    }
    Ok(())
}

fn json(rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    let string = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let value = |text: &Option<String>, column: &Column| match text {
        None => "null".to_owned(),
        Some(text) if column.is_numeric() && text.parse::<f64>().is_ok_and(f64::is_finite) => text.clone(),
        Some(text) if column.data_type == arrow::datatypes::DataType::Boolean => text.clone(),
        Some(text) => string(text),
    };
    write!(out, "[")?;
    for (position, row) in rows.rows.iter().enumerate() {
        let pairs: Vec<String> = row
            .iter()
            .zip(&rows.columns)
            .map(|(text, column)| format!("{}: {}", string(&column.name), value(text, column)))
            .collect();
        let separator = if position == 0 { "\n" } else { ",\n" };
        write!(out, "{separator}  {{{}}}", pairs.join(", "))?;
    }
    writeln!(out, "{}]", if rows.rows.is_empty() { "" } else { "\n" })
}
