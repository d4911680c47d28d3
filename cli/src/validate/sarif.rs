//! Problems as SARIF 2.1.0 (OASIS), which code review tools show beside the lines.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Checked;
use crate::manifest::{Finding, Source};

pub(super) fn write(checked: &[Checked], out: &mut dyn Write) -> io::Result<()> {
    let located = || checked.iter().flat_map(|file| file.findings().map(|finding| (finding, &file.source)));
    let codes: BTreeSet<&str> = located().map(|(finding, _)| finding.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    let results: Vec<Value> = located().map(|(finding, source)| result(finding, source)).collect();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "sluice", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn result(finding: &Finding, source: &Source) -> Value {
    let (start, end) = (source.place(finding.range.start), source.place(finding.range.end));
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
    let region = json!({
        "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
    });
    json!({
        "ruleId": finding.code,
        "level": "error",
        "message": {"text": format!("{}{help}", finding.message)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": source.name.replace('\\', "/")}, "region": region},
            "logicalLocations": [{"fullyQualifiedName": finding.path.to_string()}],
        }],
    })
}
