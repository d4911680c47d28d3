//! Problems for programs: one JSON object.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Checked;
use crate::manifest::{Document, Finding, Source};

pub(super) fn write(checked: &[Checked], out: &mut dyn Write) -> io::Result<()> {
    let problems = checked.iter().map(|file| file.findings().count()).sum::<usize>();
    let files: Vec<Value> = checked.iter().map(file).collect();
    let report = json!({"problems": problems, "files": files});
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn file(checked: &Checked) -> Value {
    let documents: Vec<Value> =
        checked.documents.iter().map(|document| self::document(document, &checked.source)).collect();
    json!({"file": checked.source.name, "documents": documents})
}

fn document(document: &Document, source: &Source) -> Value {
    match document {
        Document::Pipeline(pipeline) => {
            let hints: Vec<Value> = pipeline.hints.iter().map(|hint| problem(hint, source)).collect();
            json!({"pipeline": pipeline.plan.name, "result": "ok", "problems": [], "hints": hints})
        }
        Document::Broken { name, findings } => {
            let problems: Vec<Value> = findings.iter().map(|finding| problem(finding, source)).collect();
            json!({"pipeline": name, "result": "problems", "problems": problems})
        }
        Document::Skipped(skipped) => json!({"result": "skipped", "kind": skipped.kind, "line": skipped.line}),
    }
}

fn problem(finding: &Finding, source: &Source) -> Value {
    let (start, end) = (source.place(finding.range.start), source.place(finding.range.end));
    json!({
        "code": finding.code,
        "message": finding.message,
        "help": finding.help,
        "path": finding.path.to_string(),
        "line": start.line,
        "column": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}
