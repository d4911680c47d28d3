//! Problems for people: the lines concerned, a pointer, what is allowed.

use std::borrow::Cow;
use std::io::{self, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use schemas::text::{plain, plain_lines};

use super::Checked;
use crate::manifest::{Document, Finding, Source};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For terminals.
    Colour,
    /// For files and pipes.
    Plain,
}

impl Style {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub fn of(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if terminal && !refused { Self::Colour } else { Self::Plain }
    }
}

/// One problem in miette's terms.
#[derive(Debug)]
struct Report<'a> {
    finding: &'a Finding,
    source: NamedSource<String>,
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.finding.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let path = plain(&self.finding.path.to_string()).into_owned();
        let label = if path.is_empty() { "here".to_owned() } else { path };
        let span = SourceSpan::from(self.finding.range.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(Some(label), span))))
    }
}

/// Shows problems of one file.
///
/// # Errors
/// `out` cannot be written.
pub fn render<'a>(
    source: &Source,
    findings: impl IntoIterator<Item = &'a Finding>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let theme = match style {
        Style::Colour => GraphicalTheme::unicode(),
        Style::Plain => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(120).with_links(false);
    let text = unharmful(&source.text);
    for finding in findings {
        let finding = &shown(finding);
        let report = Report { finding, source: NamedSource::new(&source.name, text.clone()) };
        let mut shown = String::new();
        handler.render_report(&mut shown, &report).map_err(io::Error::other)?;
        writeln!(out, "{}", shown.trim_start_matches('\n').trim_end())?;
        writeln!(out)?;
    }
    Ok(())
}

/// A problem whose words act on no terminal, whatever names the manifest has.
fn shown(finding: &Finding) -> Finding {
    let plain = |text: &str| plain_lines(text).into_owned();
    Finding { message: plain(&finding.message), help: finding.help.as_deref().map(plain), ..finding.clone() }
}

/// The text with as many '?' in the place of characters that act on a terminal as these have bytes, so that places stay where they
/// are.
fn unharmful(text: &str) -> String {
    if matches!(plain_lines(text), Cow::Borrowed(_)) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match plain_lines(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => safe.push(c),
            // The end of a line of other systems is one here as well.
            Cow::Owned(_) if c == '\r' => safe.push(' '),
            Cow::Owned(_) => safe.extend(std::iter::repeat_n('?', c.len_utf8())),
        }
    }
    safe
}

pub(super) fn write(checked: &[Checked], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for file in checked {
        render(&file.source, file.findings(), style, out)?;
    }
    for file in checked {
        let name = &file.source.name;
        for document in &file.documents {
            match document {
                Document::Pipeline(pipeline) => {
                    for hint in &pipeline.hints {
                        let (Finding { message, help, .. }, place) = (shown(hint), file.source.place(hint.range.start));
                        let help = help.map_or_else(String::new, |help| format!(" ({help})"));
                        writeln!(out, "{name}:{}:{}: hint: {message}{help}", place.line, place.column)?;
                    }
                    writeln!(out, "{name}: pipeline '{}' is right", pipeline.plan.name)?;
                }
                Document::Broken { name: pipeline, findings } => {
                    let which =
                        pipeline.as_ref().map_or_else(String::new, |name| format!("pipeline '{}' has ", plain(name)));
                    let plural = if findings.len() == 1 { "problem" } else { "problems" };
                    writeln!(out, "{name}: {which}{} {plural}", findings.len())?;
                }
                Document::Skipped(skipped) => {
                    writeln!(out, "{name}:{}: skipped, its kind is '{}'", skipped.line, plain(&skipped.kind))?;
                }
            }
        }
        if file.documents.is_empty() {
            writeln!(out, "{name}: nothing in it")?;
        }
    }
    if !checked.is_empty() && checked.iter().map(Checked::pipelines).sum::<usize>() == 0 {
        writeln!(out, "no AnalyticsPipeline to check")?;
    }
    Ok(())
}
