//! Between what the core gives out and the records of the partials topic.

use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use schemas::report::{Ledger, LossReport};
use schemas::wire::{
    BatchBody, ClosedBody, Content, ExpressionBody, LossBody, PartialHeader, RefusalBody, RuleBody, SampleBody,
    SealBody,
};
use stream_core::{
    BatchReport, ClosedWindow, Digest, EventTime, Loss, Offset, Partial, Program, Reason, Refusal, Seal, Subject,
    Valueless, Verdict, Verdicts, Why, Window,
};
use thiserror::Error;

use crate::arrow_stream;
use crate::ingest::words;

/// A record of the partials topic that does not fit this pipeline. Nobody can mend it but the one who wrote it.
#[derive(Debug, Error)]
pub enum PartialError {
    /// The rows are no Arrow stream.
    #[error("the rows of a partial do not parse: {0}")]
    ReadRows(#[from] ArrowError),
    /// The rows have other columns than this pipeline's partials.
    #[error("a partial has the columns {found}, expected {wanted}; raise spec.revision when the meaning changes")]
    OtherColumns {
        /// Its columns.
        found: String,
        /// Ours.
        wanted: String,
    },
    /// The state of a measure is none that a lane gives.
    #[error("a partial has a state of measure '{measure}' that is no sum")]
    ForeignState {
        /// The measure.
        measure: String,
    },
    /// A digest is not 32 hexadecimal digits.
    #[error("'{found}' is no digest, expected 32 hexadecimal digits")]
    ParseDigest {
        /// What it is.
        found: String,
    },
}

/// A partial as a record's content.
pub fn partial_content(partial: &Partial) -> Result<Content, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &partial.rows.schema())?;
    writer.write(&partial.rows)?;
    let header = PartialHeader {
        start: partial.window.start.0,
        end: partial.window.end.0,
        part: partial.part,
        digest: partial.digest.to_string(),
    };
    Ok(Content::Partial(header, writer.into_inner()?))
}

/// A partial from a record's content, its columns checked against the program.
pub fn read_partial(
    header: &PartialHeader,
    rows: &[u8],
    output: u32,
    program: &Program,
) -> Result<Partial, PartialError> {
    let wanted = program.partial_schema();
    let (found, batches) = arrow_stream::read(rows)?;
    if wanted.fields() != found.fields() {
        return Err(PartialError::OtherColumns { found: names(&found), wanted: names(&wanted) });
    }
    let rows = arrow::compute::concat_batches(&wanted, &batches)?;
    if let Some(measure) = program.foreign_state(&rows) {
        return Err(PartialError::ForeignState { measure: measure.name.clone() });
    }
    Ok(Partial {
        window: window(header.start, header.end),
        output,
        part: header.part,
        rows,
        digest: digest(&header.digest)?,
    })
}

fn names(schema: &arrow::datatypes::Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    columns.collect::<Vec<_>>().join(", ")
}

/// The part of a seal that concerns one output.
pub fn seal_body(seal: &Seal, output: u32) -> SealBody {
    let closed = seal.closed.iter().filter(|closed| closed.output == output).map(|closed| ClosedBody {
        start: closed.window.start.0,
        end: closed.window.end.0,
        parts: closed.parts,
        records: closed.records,
        first_offset: closed.first.0,
        end_offset: closed.end.0,
        digest: closed.digest.to_string(),
    });
    let lost = seal.lost.iter().map(loss_body).collect();
    SealBody { after: Some(seal.after.0), until: seal.until.0, at: seal.at.0, closed: closed.collect(), lost }
}

/// A seal from its record.
pub fn read_seal(body: &SealBody, output: u32) -> Result<Seal, PartialError> {
    let closed = body.closed.iter().map(|closed| {
        Ok(ClosedWindow {
            window: window(closed.start, closed.end),
            output,
            parts: closed.parts,
            records: closed.records,
            first: Offset(closed.first_offset),
            end: Offset(closed.end_offset),
            digest: digest(&closed.digest)?,
        })
    });
    Ok(Seal {
        // What does not say is taken for the least that it can tell.
        after: EventTime(body.after.unwrap_or(body.until)),
        until: EventTime(body.until),
        at: Offset(body.at),
        closed: closed.collect::<Result<_, PartialError>>()?,
        lost: body.lost.iter().map(read_loss).collect(),
    })
}

/// A loss as a record's content.
pub fn loss_body(loss: &Loss) -> LossBody {
    let until = loss.until.map(|until| until.0);
    LossBody { from: loss.from.0, to: loss.to.0, position: loss.position.0, after: loss.after.0, until }
}

/// A loss from its record.
pub fn read_loss(body: &LossBody) -> Loss {
    Loss {
        from: Offset(body.from),
        to: Offset(body.to),
        position: Offset(body.position),
        after: EventTime(body.after),
        until: body.until.map(EventTime),
        over: false,
    }
}

/// A loss in the words of the report.
pub fn loss_report(loss: &Loss) -> LossReport {
    let time = |time: EventTime| (time != EventTime::NEVER).then_some(time.0);
    LossReport {
        from: loss.from.0,
        to: loss.to.0,
        unread: loss.unread(),
        windows_after: time(loss.after),
        windows_until: loss.until.and_then(time),
    }
}

/// Most characters of a dead letter's message in a report.
const MOST_OF_A_MESSAGE: usize = 256;

/// A batch report as a record's content; the rules' names and fingerprints come from the plan, whose program is `program`.
pub fn report_body(report: &BatchReport, plan: &plan::Plan, program: &Program) -> BatchBody {
    let rules = plan.rules.iter().zip(report.rules.iter().zip(&report.valueless));
    let rules = rules.map(|(rule, (counts, valueless))| RuleBody {
        name: rule.name.clone(),
        fingerprint: rule.fingerprint.clone(),
        evaluated: counts.evaluated,
        violations: counts.violations,
        skipped: counts.skipped,
        no_value: valueless.no_value,
        not_finite: valueless.not_finite,
    });
    let expressions = program.subjects().zip(&report.valueless).skip(plan.rules.len());
    let expressions = expressions.filter(|(_, counts)| **counts != Valueless::default());
    let expressions = expressions.map(|(subject, counts)| {
        let (kind, name) = names_of(program, subject);
        let Valueless { no_value, not_finite } = *counts;
        ExpressionBody { kind: kind.to_owned(), name: name.to_owned(), no_value, not_finite }
    });
    let named = |subject: Subject| {
        let (kind, name) = names_of(program, subject);
        (kind.to_owned(), name.to_owned())
    };
    let samples =
        report.samples.iter().map(|sample| (named(sample.subject), sample)).map(|((kind, name), sample)| SampleBody {
            kind,
            name,
            why: why(sample.why).to_owned(),
            offset: sample.offset.0,
            event_id: sample.event_id.clone(),
            field: sample.field.clone(),
            value: sample.value.clone(),
        });
    BatchBody {
        first_offset: report.first.0,
        end_offset: report.end.0,
        first_log_time: report.first_log_time.0,
        last_log_time: report.last_log_time.0,
        ledger: ledger(&report.verdicts),
        gaps: report.gaps,
        rules: rules.collect(),
        latency: report.latency.buckets().collect(),
        expressions: expressions.collect(),
        refusals: report.refusals.iter().map(|refusal| refusal_body(program, refusal)).collect(),
        samples: samples.collect(),
    }
}

/// What an expression is, and its name.
fn names_of(program: &Program, subject: Subject) -> (&'static str, &str) {
    match subject {
        Subject::Rule(rule) => ("rule", &program.rules[rule].name),
        Subject::Filter => ("filter", "filter"),
        Subject::Group(group) => ("group", &program.groups[group].name),
        Subject::Measure(measure) => ("measure", &program.measures[measure].name),
    }
}

fn why(why: Why) -> &'static str {
    match why {
        Why::Violation => "violation",
        Why::NoValue => "no-value",
        Why::NotFinite => "not-finite",
    }
}

/// Why records were refused, in words.
pub(crate) fn refusal_body(program: &Program, Refusal { offset, reason, records }: &Refusal) -> RefusalBody {
    let (verdict, rule, message) = words(program, reason);
    let word = match reason {
        Reason::Undecodable { kind, .. } => kind.clone(),
        _ => rule.unwrap_or_else(|| "late".to_owned()),
    };
    let message = match message.char_indices().nth(MOST_OF_A_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    };
    RefusalBody { verdict: verdict.to_owned(), reason: word, records: *records, offset: offset.0, message }
}

/// Verdict counts in the words of the report.
pub fn ledger(verdicts: &Verdicts) -> Ledger {
    Ledger {
        consumed: verdicts.consumed(),
        counted: verdicts.of(Verdict::Counted),
        duplicate: verdicts.of(Verdict::Duplicate),
        late: verdicts.of(Verdict::Late),
        filtered: verdicts.of(Verdict::Filtered),
        invalid: verdicts.of(Verdict::Invalid),
        undecodable: verdicts.of(Verdict::Undecodable),
        ignored: verdicts.of(Verdict::Ignored),
    }
}

fn window(start: i64, end: i64) -> Window {
    Window { start: EventTime(start), end: EventTime(end) }
}

fn digest(text: &str) -> Result<Digest, PartialError> {
    let wrong = || PartialError::ParseDigest { found: text.to_owned() };
    let number = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten();
    Ok(Digest(number.ok_or_else(wrong)?.to_be_bytes()))
}
