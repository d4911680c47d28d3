//! The summary of a small store: totals, balance, what is missing.

use std::fs::create_dir_all;
use std::path::Path;

use plan::Plan;

use crate::dev::summary::{PartitionLedger, Summary};
use crate::dev::summary_text;
use crate::dev::summary_truth::{compare, unfit};
use crate::generate::{Counts, Options, Truth};
use crate::manifest::{Document, Source, read};
use crate::query::Store;

fn plan() -> Plan {
    let source = Source::new("q", include_str!("../../../../examples/revenue-5m.yaml"));
    match read(&source).pop() {
        Some(Document::Pipeline(pipeline)) => pipeline.plan,
        other => panic!("the quickstart is right, not {other:?}"),
    }
}

fn store(folder: &Path) -> Store {
    let copy = |file: &str, select: &str| {
        let file = folder.join(file);
        create_dir_all(file.parent().expect("in a folder")).expect("a folder");
        let duckdb = duckdb::Connection::open_in_memory().expect("DuckDB starts");
        duckdb.execute_batch(&format!("copy ({select}) to '{}' (format parquet)", file.display())).expect("a file");
    };
    for (name, minute, revenue) in [("w=1.parquet", 0, "10.05"), ("w=2.parquet", 5, "0.10")] {
        copy(
            &format!("gold/revenue-5m/date=2026-11-23/{name}"),
            &format!(
                "select timestamptz '2026-11-23 10:{minute:02}:00+00' as window_start, timestamptz '2026-11-23 10:{:02}:00+00' as \
                 window_end, 'eu' as region, null::varchar as plan_tier, {revenue}::decimal(38,2) as revenue, 3::bigint as event_count",
                minute + 5
            ),
        );
    }
    let batch = |partition: u32, first: u64, end: u64, counted: u64| {
        copy(
            &format!("dq/revenue-5m/metrics/batch_id={partition}-{first}/report.parquet"),
            &format!(
                "select {partition} as partition, {first}::bigint as first_offset, {end}::bigint as end_offset, kind, name, \
                 case kind when 'rule' then name end as rule, evaluated, violations, skipped, no_value, not_finite, consumed, counted, \
                 0::bigint as duplicate, late, 0::bigint as filtered, 0::bigint as invalid, 0::bigint as undecodable, \
                 0::bigint as ignored, gaps, case kind when 'refusal' then 'Undecodable' end as verdict, refused, \
                 case kind when 'refusal' then {first}::bigint end as example_offset, case kind when 'refusal' then 'no Avro' end as example \
                 from (values ('batch', null, null, null, null, null, null, {}::bigint, {counted}::bigint, 1::bigint, 1::bigint, null), \
                 ('rule', 'region', 5::bigint, 2::bigint, 1::bigint, 1::bigint, 0::bigint, null, null, null, null, null), \
                 ('rule', 'required', 5, 0, 0, 0, 0, null, null, null, null, null), \
                 ('measure', 'revenue', null, null, null, 0, 2, null, null, null, null, null), \
                 ('refusal', 'bad-magic', null, null, null, null, null, null, null, null, null, 4::bigint)) \
                 as t(kind, name, evaluated, violations, skipped, no_value, not_finite, consumed, counted, late, gaps, refused)",
                end - first - 1
            ),
        );
    };
    batch(0, 0, 10, 8);
    batch(0, 10, 20, 8);
    batch(1, 0, 5, 2);
    Store::open(folder, Some("revenue-5m")).expect("a store")
}

#[test]
fn a_store_sums_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = Summary::read(&store(folder.path()), &plan()).expect("readable");
    assert_eq!((summary.gold.windows, summary.gold.rows, summary.gold.newest.rows.len()), (2, 2, 1));
    assert_eq!(
        summary_text::gold(&summary),
        "\
Gold, the newest of 2 windows
┌──────────────────────┬──────────────────────┬────────┬───────────┬─────────┬─────────────┐
│ window_start         ┆ window_end           ┆ region ┆ plan_tier ┆ revenue ┆ event_count │
╞══════════════════════╪══════════════════════╪════════╪═══════════╪═════════╪═════════════╡
│ 2026-11-23T10:05:00Z ┆ 2026-11-23T10:10:00Z ┆ eu     ┆ null      ┆    0.10 ┆           3 │
└──────────────────────┴──────────────────────┴────────┴───────────┴─────────┴─────────────┘

Gold, total of 2 windows and 2 rows
┌────────┬───────────┬─────────┬─────────┬─────────────┐
│ region ┆ plan_tier ┆ windows ┆ revenue ┆ event_count │
╞════════╪═══════════╪═════════╪═════════╪═════════════╡
│ eu     ┆ null      ┆       2 ┆   10.15 ┆           6 │
└────────┴───────────┴─────────┴─────────┴─────────────┘
"
    );
    assert_eq!(
        summary_text::quality(&summary),
        "\
Quality per rule
┌──────────┬───────────┬────────────┬─────────┬──────────┬────────────┬─────────┐
│ rule     ┆ evaluated ┆ violations ┆ skipped ┆ no value ┆ not finite ┆   share │
╞══════════╪═══════════╪════════════╪═════════╪══════════╪════════════╪═════════╡
│ required ┆        15 ┆          0 ┆       0 ┆        0 ┆          0 ┆  0.00 % │
│ region   ┆        15 ┆          6 ┆       3 ┆        3 ┆          0 ┆ 40.00 % │
└──────────┴───────────┴────────────┴─────────┴──────────┴────────────┴─────────┘

Left out, because nothing could be computed or a value is not finite
┌─────────────────┬──────────┬────────────┐
│ expression      ┆ no value ┆ not finite │
╞═════════════════╪══════════╪════════════╡
│ measure revenue ┆        0 ┆          6 │
└─────────────────┴──────────┴────────────┘
"
    );
    let without_rules =
        Summary { rules: Vec::new(), ..Summary::read(&store(folder.path()), &plan()).expect("readable") };
    let told = summary_text::quality(&without_rules);
    assert!(told.starts_with("Quality: the pipeline has no rules\n\nLeft out"), "{told}");
    let refused = summary_text::refusals(&summary);
    assert!(
        refused.contains("  12 Undecodable, bad-magic: at 0-0 no Avro\n    the values do not carry a schema id"),
        "{refused}"
    );
}

#[test]
fn a_ledger_balances_or_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = Summary::read(&store(folder.path()), &plan()).expect("readable");
    assert_eq!(summary.ledger[&0].faults(Some(20)), [""; 0]);
    assert_eq!(
        summary.ledger[&1].faults(Some(7)),
        ["4 records consumed, but 3 verdicts", "reports end at offset 5, the log at 7"]
    );
    let missing = PartitionLedger { counts: Counts::default(), gaps: 2, first: 0, end: 5 };
    assert_eq!(missing.faults(None), ["reports from offset 0 to 5 cover 2 offsets, not 5"]);
    let shown = summary_text::ledger(&summary, &["partition 1: x".to_owned()]);
    assert!(shown.ends_with("NOT BALANCED: partition 1: x\n"), "{shown}");
    assert!(shown.contains("│ all       ┆       22 ┆      18 ┆"), "{shown}");
    let balanced = summary_text::ledger(&summary, &[]);
    assert!(balanced.contains("balanced: 22 consumed = 18 counted + 0 duplicate + 3 late + 0 filtered"), "{balanced}");
}

#[test]
fn a_store_that_differs_from_the_truth_is_told_row_by_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let summary = Summary::read(&store, &plan()).expect("readable");
    let nothing = Truth::new(Options::new(0, 3));
    let comparison = compare(&store, &summary, &nothing).expect("readable");
    let told = summary_text::truth(&comparison);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "Truth: THE STORE DIFFERS from the truth in 9 places");
    assert_eq!(
        lines[1],
        "  gold row 2026-11-23T10:00:00Z region eu plan_tier null: expected nothing, got 10.05 in 3 events"
    );
    assert_eq!(lines[3], "  consumed, partition 0: expected 0, got 18");
    assert_eq!(lines.last(), Some(&"  violations of 'region': expected 0, got 6"));
}

#[test]
fn the_truth_is_told_for_the_quickstart_only() {
    assert_eq!(unfit(&plan()), None);
    let mut other = plan();
    other.groups.pop();
    assert_eq!(unfit(&other).as_deref(), Some("the truth is told for revenue and event_count by region and plan_tier"));
    let mut other = plan();
    other.rules.pop();
    assert!(
        unfit(&other)
            .is_some_and(|reason| reason.ends_with("plan-tier, region, currency, amount, fresh, free-is-free"))
    );
}
