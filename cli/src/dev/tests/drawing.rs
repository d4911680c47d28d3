//! One snapshot, one picture.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use schemas::report::{Ledger, OutputReport, PartitionReport, Trouble, WindowReport, WorkerReport};

use crate::dev::snapshot::{Meter, Snapshot};
use crate::dev::{panel, plain};

/// 2026-11-23T06:00:00Z.
const SIX: i64 = 1_795_413_600_000;

fn partition(partition: i32, position: i64, watermark: Option<i64>) -> PartitionReport {
    let consumed = position as u64;
    PartitionReport {
        partition,
        position,
        end: Some(4_000),
        watermark,
        windows: vec![WindowReport { start: SIX, ids: 1_234, bytes: 30_000 }],
        ledger: Ledger { consumed, counted: consumed - 10, late: 10, ..Ledger::default() },
        ..PartitionReport::default()
    }
}

fn reports() -> Vec<WorkerReport> {
    let worker = |name: &str, partitions| WorkerReport {
        pipeline: "revenue-5m".to_owned(),
        worker: name.to_owned(),
        partitions,
        ..WorkerReport::default()
    };
    let mut first = worker("dev-0", vec![partition(0, 3_000, Some(SIX + 300_000)), partition(2, 1_000, Some(SIX))]);
    first.outputs = vec![OutputReport {
        windows_published: 12,
        reports_published: 40,
        published_until: Some(SIX - 300_000),
        ..OutputReport::default()
    }];
    let mut second = worker("dev-1", vec![partition(1, 2_000, Some(SIX + 60_000))]);
    let message = "cannot write to 'data'".to_owned();
    second.troubles = vec![Trouble { reason: "SinkUnavailable".to_owned(), message, since: SIX }];
    vec![first, second]
}

fn snapshot() -> Snapshot {
    let mut meter = Meter::new(BTreeMap::from([(0, 3_000), (1, 3_000), (2, 3_000)]));
    let mut before = reports();
    before[0].partitions.remove(0);
    meter.snapshot(&before, Duration::from_secs(4));
    meter.snapshot(&reports(), Duration::from_secs(6))
}

#[test]
fn a_snapshot_sums_up_all_workers() {
    let snapshot = snapshot();
    assert_eq!(snapshot.holder(), Some((2, Some(SIX))), "the lowest watermark");
    assert_eq!((snapshot.rate, snapshot.lag, snapshot.ledger.consumed), (1_500, Some(3_000), 6_000));
    assert_eq!(snapshot.done(), Some(6_000.0 / 9_000.0), "the ends of a bounded run win");
    assert_eq!(Snapshot::default().holder(), None);
}

#[test]
fn a_partition_without_a_watermark_holds_it() {
    let mut reports = reports();
    reports[1].partitions[0].watermark = None;
    let snapshot = Meter::default().snapshot(&reports, Duration::ZERO);
    assert_eq!(snapshot.holder(), Some((1, None)));
}

#[test]
fn progress_in_one_line() {
    assert_eq!(
        plain::line(&snapshot()),
        "  6.0 s | 6,000 read (66 %) | 1,500/s | watermark 2026-11-23T06:00:00Z (partition 2) | 12 windows published | \
         SinkUnavailable: cannot write to 'data'"
    );
}

#[test]
fn the_panel_shows_it_all() {
    let mut terminal = Terminal::new(TestBackend::new(110, 19)).expect("a screen in memory");
    let snapshot = snapshot();
    terminal.draw(|frame| panel::draw(frame, &snapshot)).expect("draws");
    let expected = "\
revenue-5m  1,500 events/s  6.0 s
█████████████████████████████████████████████66 % of the log read ███████
┌ partitions ────────────────────────────────────────────────────────────────────────────────────────────────┐
│partition worker     position    lag         watermark                windows ids                           │
│0         dev-0      3,000       0           2026-11-23T06:05:00Z     1       1,234                         │
│1         dev-1      2,000       1,000       2026-11-23T06:01:00Z     1       1,234                         │
│2         dev-0      1,000       2,000       2026-11-23T06:00:00Z     1       1,234     holds the watermark │
└────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
┌ verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────┐
│consumed 6,000  counted 5,970  duplicate 0  late 30  filtered 0  invalid 0  undecodable 0  ignored 0        │
└────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
┌ windows ───────────────────────────────────────────────────────────────────────────────────────────────────┐
│12 published, up to 2026-11-23T05:55:00Z; 40 quality reports; 0 waiting                                     │
│partition 2 holds the watermark at 2026-11-23T06:00:00Z                                                     │
└────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
┌ troubles ──────────────────────────────────────────────────────────────────────────────────────────────────┐
│SinkUnavailable: cannot write to 'data'                                                                     │
└────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
q or Ctrl-C: cut, leave, and sum up";
    let buffer = terminal.backend().buffer();
    let lines: Vec<String> =
        (0..19).map(|y| (0..110).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect();
    assert_eq!(lines.join("\n"), expected);
}
