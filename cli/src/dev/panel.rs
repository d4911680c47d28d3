//! The live view in a terminal: one snapshot on one screen.
//!
//! Keeps true: drawing reads a snapshot and nothing else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Table, Wrap};

use super::figures::{grouped, length};
use super::plain::WAITS;
use super::snapshot::Snapshot;
use crate::generate::iso;
use schemas::text::plain;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const QUIET: Style = Style::new().fg(Color::DarkGray);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Draws a snapshot.
pub fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot) {
    let rows = snapshot.partitions.len() as u16 + 3;
    let troubles = (snapshot.troubles.len() as u16 + 2).max(3);
    let [head, progress, partitions, verdicts, windows, trouble, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Length(3),
        Constraint::Length(4),
        Constraint::Length(troubles),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(title(snapshot), head);
    if let Some(done) = snapshot.done() {
        let label = format!("{:.0} % of the log read", (done * 100.0).floor());
        frame.render_widget(
            Gauge::default().ratio(done).label(label).gauge_style(Style::new().fg(Color::Green)),
            progress,
        );
    }
    frame.render_widget(table(snapshot), partitions);
    frame.render_widget(Paragraph::new(ledger(snapshot)).block(Block::bordered().title(" verdicts ")), verdicts);
    frame.render_widget(Paragraph::new(published(snapshot)).block(Block::bordered().title(" windows ")), windows);
    let lines: Vec<Line<'_>> = if snapshot.troubles.is_empty() {
        vec![Line::styled("none", QUIET)]
    } else {
        snapshot.troubles.iter().map(|t| Line::styled(format!("{}: {}", t.reason, plain(&t.message)), BAD)).collect()
    };
    let lines = Paragraph::new(lines).wrap(Wrap { trim: true }).block(Block::bordered().title(" troubles "));
    frame.render_widget(lines, trouble);
    frame.render_widget(Line::styled("q or Ctrl-C: cut, leave, and sum up", QUIET), foot);
}

fn title(snapshot: &Snapshot) -> Line<'_> {
    let rate = format!("  {} events/s  ", grouped(snapshot.rate));
    Line::from(vec![
        Span::styled(snapshot.pipeline.as_str(), BOLD),
        Span::raw(rate),
        Span::styled(length(snapshot.elapsed), QUIET),
    ])
}

fn table(snapshot: &Snapshot) -> Table<'_> {
    let holder = snapshot.holder().map(|(partition, _)| partition);
    let rows = snapshot.partitions.iter().map(|(report, worker)| {
        let lag = report.end.map_or_else(|| "?".to_owned(), |end| grouped((end - report.position).max(0)));
        let watermark = report.watermark.map_or_else(|| "none yet".to_owned(), iso);
        let state = match (report.replaying, holder == Some(report.partition) && snapshot.partitions.len() > 1) {
            (true, _) => "replaying",
            (false, true) => "holds the watermark",
            (false, false) => "",
        };
        let ids: u64 = report.windows.iter().map(|window| window.ids).sum();
        Row::new([
            report.partition.to_string(),
            worker.clone(),
            grouped(report.position),
            lag,
            watermark,
            report.windows.len().to_string(),
            grouped(ids),
            state.to_owned(),
        ])
    });
    let widths = [
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(11),
        Constraint::Length(11),
        Constraint::Length(24),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Min(19),
    ];
    let header = ["partition", "worker", "position", "lag", "watermark", "windows", "ids", ""];
    Table::new(rows, widths).header(Row::new(header).style(BOLD)).block(Block::bordered().title(" partitions "))
}

fn ledger(snapshot: &Snapshot) -> Line<'static> {
    let ledger = &snapshot.ledger;
    let parts = [
        ("consumed", ledger.consumed),
        ("counted", ledger.counted),
        ("duplicate", ledger.duplicate),
        ("late", ledger.late),
        ("filtered", ledger.filtered),
        ("invalid", ledger.invalid),
        ("undecodable", ledger.undecodable),
        ("ignored", ledger.ignored),
    ];
    let spans = parts.into_iter().flat_map(|(name, count)| {
        [Span::styled(format!("{name} "), QUIET), Span::raw(format!("{}  ", grouped(count)))]
    });
    let verdict = if ledger.balances() { Span::raw("") } else { Span::styled("does not balance", BAD) };
    Line::from(spans.chain([verdict]).collect::<Vec<_>>())
}

fn published(snapshot: &Snapshot) -> Vec<Line<'static>> {
    let until = snapshot.published_until.map_or_else(|| "nothing yet".to_owned(), |end| format!("up to {}", iso(end)));
    let holder = match snapshot.holder() {
        _ if snapshot.waits() => WAITS.to_owned(),
        Some((partition, Some(watermark))) => {
            format!("partition {partition} holds the watermark at {}", iso(watermark))
        }
        Some((partition, None)) => format!("partition {partition} has no watermark yet"),
        None => "no partitions yet".to_owned(),
    };
    let counts = format!(
        "{} published, {until}; {} quality reports; {} waiting",
        grouped(snapshot.windows_published),
        grouped(snapshot.reports_published),
        grouped(snapshot.waiting)
    );
    vec![Line::raw(counts), Line::raw(holder)]
}
