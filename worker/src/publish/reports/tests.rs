//! Passes over a store in memory that can end anywhere.

mod memory;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use schemas::report::Ledger;
use schemas::wire::{BatchBody, RuleBody, SampleBody};

use super::super::table;
use super::*;
use memory::{Files, Memory};

/// 2026-11-23T00:00:00Z.
const MONDAY: i64 = 1_795_392_000_000;
const MINUTE: i64 = 60_000;

fn plan() -> plan::Plan {
    let quickstart = include_str!("../../../../examples/revenue-5m.yaml");
    plan::Plan::compile(&serde_saphyr::from_str(quickstart).expect("a manifest")).expect("a plan")
}

/// The files of a batch of `partition` that begins at `minute` of Monday, with a sample every other time.
fn write(files: &mut Files, plan: &plan::Plan, partition: i32, minute: i64) {
    let sample = SampleBody {
        kind: "rule".to_owned(),
        name: "region".to_owned(),
        why: "violation".to_owned(),
        offset: minute * 100 + 5,
        event_id: Some("e".to_owned()),
        field: Some("region".to_owned()),
        value: Some("moon".to_owned()),
    };
    let body = BatchBody {
        first_offset: minute * 100,
        end_offset: minute * 100 + 100,
        first_log_time: MONDAY + minute * MINUTE,
        last_log_time: MONDAY + (minute + 1) * MINUTE - 1,
        ledger: Ledger { consumed: 100, counted: 100, ..Ledger::default() },
        gaps: 0,
        rules: vec![RuleBody {
            name: "region".to_owned(),
            fingerprint: "f".to_owned(),
            evaluated: 100,
            violations: 1,
            skipped: 0,
            no_value: 0,
            not_finite: 0,
        }],
        latency: vec![(3, 100)],
        expressions: Vec::new(),
        refusals: Vec::new(),
        samples: if minute % 360 == 0 { vec![sample] } else { Vec::new() },
    };
    let report = table::report(plan, partition, &body).expect("a report");
    let samples = table::samples(plan, partition, &body).expect("samples");
    for table in std::iter::once(report).chain(samples) {
        files.insert(table.path(), table.bytes);
    }
}

/// Three days and a bit of two partitions, eight batches a day.
fn store(plan: &plan::Plan) -> Files {
    every(plan, 180)
}

/// The same with a batch every so many minutes.
fn every(plan: &plan::Plan, minutes: usize) -> Files {
    let mut files = Files::new();
    for partition in 0..2 {
        (0..=3 * 24 * 60).step_by(minutes).for_each(|minute| write(&mut files, plan, partition, minute));
    }
    files
}

const SETTINGS: ReportsPlan = ReportsPlan { roll_up_after_ms: DAY / 2, keep_ms: None };

/// Partitions that have sealed nothing.
fn unsealed() -> Standing<'static> {
    Standing { settled: vec![None; 2], ..Standing::default() }
}

fn pass_in(memory: &Memory, plan: ReportsPlan, standing: &Standing<'_>) -> Result<Passed, ReportsError> {
    let reports = Reports::new(memory, "revenue-5m", plan);
    let passed = reports.pass(standing)?;
    passed.replaced.iter().try_for_each(|batch| reports.remove(*batch))?;
    Ok(passed)
}

/// A pass, and at once the end of what it has replaced: how many batches were rolled up, and how many days removed.
fn pass(memory: &Memory, plan: ReportsPlan) -> Result<(usize, usize), ReportsError> {
    pass_in(memory, plan, &unsealed()).map(|passed| (passed.rolled_up, passed.removed))
}

/// All rows as text: what a reader of the folder sees, each row once however many files hold it.
fn rows(files: &Files) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for bytes in files.iter().filter(|(path, _)| path.ends_with(".parquet")).map(|(_, bytes)| bytes) {
        let rows = read_rows(bytes.clone()).expect("Parquet");
        for row in 0..rows.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| {
                arrow::util::display::array_value_to_string(column, row).expect("a value")
            };
            found.insert(rows.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    found
}

#[test]
fn closed_days_become_one_file_each_and_nothing_is_lost() {
    let plan = plan();
    let before = store(&plan);
    let memory = Memory::of(before.clone(), usize::MAX);
    // The newest report is of Thursday 00:00: Monday and Tuesday ended more than half a day before, Wednesday did not.
    let passed = pass(&memory, SETTINGS).expect("passes");
    assert_eq!(passed, (2 * 2 * 8, 0));
    let after = memory.files.borrow().clone();
    assert_eq!(rows(&after), rows(&before));
    for (tree, own) in [("metrics", 2 * 9), ("samples", 2 * 5)] {
        let names: Vec<_> = after.keys().filter(|path| path.starts_with(&format!("dq/revenue-5m/{tree}/"))).collect();
        let days: Vec<_> = names.iter().filter(|path| path.contains("/day=2026-11-2")).collect();
        assert_eq!((days.len(), names.len() - days.len()), (2, own), "{names:?}");
    }
    assert_eq!(pass(&memory, SETTINGS).expect("passes"), (0, 0));
    assert_eq!(*memory.files.borrow(), after);
}

#[test]
fn a_pass_that_ends_anywhere_is_made_again_to_the_same_bytes() {
    let plan = plan();
    let settings = ReportsPlan { keep_ms: Some(2 * DAY), ..SETTINGS };
    let few = every(&plan, 720);
    // The same where Monday, which is removed, has a file, and Tuesday another report.
    let rolled = Memory::of(few.clone(), usize::MAX);
    pass(&rolled, SETTINGS).expect("passes");
    write(&mut rolled.files.borrow_mut(), &plan, 0, 24 * 60 + 7);
    for files in [few, rolled.files.into_inner()] {
        let whole = Memory::of(files.clone(), usize::MAX);
        pass(&whole, settings).expect("passes");
        let expected = whole.found();
        let changes = usize::MAX - whole.left.get();
        let kept = rows(&whole.files.borrow());
        for cut in 0..changes {
            let memory = Memory::of(files.clone(), cut);
            pass(&memory, settings).expect_err("it is cut short");
            assert!(rows(&memory.files.borrow()).is_superset(&kept), "a row is gone after {cut} changes");
            let again = memory.again();
            pass(&again, settings).expect("passes");
            assert_eq!(again.found(), expected, "after {cut} changes");
        }
    }
}

#[test]
fn reports_that_are_written_again_go_again_and_stragglers_stay_to_be_seen() {
    let plan = plan();
    let memory = Memory::of(store(&plan), usize::MAX);
    pass(&memory, SETTINGS).expect("passes");
    let once = memory.files.borrow().clone();
    // A restart that replays the partials topic writes what is there already.
    (0..720).step_by(180).for_each(|minute| write(&mut memory.files.borrow_mut(), &plan, 1, minute));
    assert_eq!(pass_in(&memory, SETTINGS, &unsealed()).expect("passes").replaced.len(), 4);
    assert_eq!(*memory.files.borrow(), once);
    // One that was not there gets a file of its own beside the day's.
    write(&mut memory.files.borrow_mut(), &plan, 1, 7);
    pass(&memory, SETTINGS).expect("passes");
    let files = memory.files.borrow();
    assert_eq!(files.keys().filter(|path| path.contains("metrics/day=2026-11-23/")).count(), 2);
    assert_eq!(rows(&files).len(), rows(&once).len() + 2);
}

#[test]
fn a_partition_is_waited_for_until_its_reports_or_its_seals_have_passed_the_day() {
    let plan = plan();
    let mut files = Files::new();
    (0..=3 * 24 * 60).step_by(360).for_each(|minute| write(&mut files, &plan, 0, minute));
    write(&mut files, &plan, 1, 600);
    // Of partition 1: how far it has sealed since, in minutes, and what of partition 0 and of itself is rolled up.
    let (day, far) = (24 * 60, 100 * 24 * 60);
    for (sealed, expected) in
        [(None, 0), (Some(day), 0), (Some(3 * day / 2), 4), (Some(5 * day / 2), 8), (Some(far), 8)]
    {
        let slow = Memory::of(files.clone(), usize::MAX);
        let settled = vec![None, sealed.map(|minute| MONDAY + minute * MINUTE)];
        let passed = pass_in(&slow, SETTINGS, &Standing { settled: settled.clone(), ..unsealed() }).expect("passes");
        assert_eq!(passed.rolled_up, expected, "{sealed:?}");
        // The newest report of each partition keeps its own file: the commit may name it.
        assert!(slow.files.borrow().contains_key("dq/revenue-5m/metrics/batch_id=1-60000/report.parquet"));
        // One that has never reported.
        let mut others = files.clone();
        others.retain(|path, _| !path.contains("batch_id=1-"));
        let never = Memory::of(others, usize::MAX);
        let passed = pass_in(&never, SETTINGS, &Standing { settled, ..unsealed() }).expect("passes");
        assert_eq!(passed.rolled_up, expected, "{sealed:?}");
    }
}

#[test]
fn what_lies_behind_the_report_that_a_commit_names_does_not_count_yet() {
    let plan = plan();
    let memory = Memory::of(store(&plan), usize::MAX);
    // Partition 1 is committed to Tuesday 03:00; the rest was written by a worker that was killed before its commit.
    let named = "dq/revenue-5m/metrics/batch_id=1-162000/report.parquet";
    let passed = pass_in(&memory, SETTINGS, &Standing { named: vec![named], ..unsealed() }).expect("passes");
    assert_eq!((passed.rolled_up, memory.files.borrow().contains_key(named)), (0, true));
    let named = "dq/revenue-5m/metrics/batch_id=1-216000/report.parquet";
    let passed = pass_in(&memory, SETTINGS, &Standing { named: vec![named], ..unsealed() }).expect("passes");
    assert_eq!((passed.rolled_up, memory.files.borrow().contains_key(named)), (2 * 8, true));
}

#[test]
fn what_a_killed_worker_left_does_not_keep_days_from_being_closed() {
    let plan = plan();
    let memory = Memory::of(store(&plan), usize::MAX);
    let metrics = "dq/revenue-5m/metrics";
    // Killed between a file and its folder; while it wrote a report; while it wrote the file of a day.
    memory.files.borrow_mut().remove(&format!("{metrics}/batch_id=0-0/report.parquet"));
    memory.write(&format!("{metrics}/batch_id=1-18000/report.17.tmp"), b"half");
    memory.write(&format!("{metrics}/batch_id=1-999999/report.17.tmp"), b"half");
    memory.write(&format!("{metrics}/day=2026-11-23/0.17.tmp"), b"half");
    assert_eq!(pass(&memory, SETTINGS).expect("passes").0, 2 * 2 * 8 - 1);
    let (files, folders) = memory.found();
    let left: Vec<_> = files.keys().filter(|path| path.contains(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        !folders.contains(&format!("{metrics}/batch_id=0-0"))
            && !folders.contains(&format!("{metrics}/batch_id=1-18000"))
    );
}

#[test]
fn days_are_removed_when_they_are_too_old() {
    let plan = plan();
    let memory = Memory::of(store(&plan), usize::MAX);
    pass(&memory, SETTINGS).expect("passes");
    let settings = ReportsPlan { keep_ms: Some(2 * DAY), ..SETTINGS };
    assert_eq!(pass(&memory, settings).expect("passes"), (0, 1));
    assert!(memory.files.borrow().keys().all(|path| !path.contains("day=2026-11-23")));
    assert!(memory.files.borrow().keys().any(|path| path.contains("day=2026-11-24")));
    // A day that is too old by the time it is closed gets no file.
    let late = Memory::of(store(&plan), usize::MAX);
    assert_eq!(pass(&late, settings).expect("passes"), (2 * 8, 0));
    assert_eq!(late.found(), memory.found());
    let (empty, broken) = (Memory::of(Files::new(), 0), Memory::of(store(&plan), usize::MAX));
    assert_eq!(pass(&empty, settings).expect("passes"), (0, 0));
    broken.write("dq/revenue-5m/metrics/batch_id=0-0/report.parquet", b"no");
    let error = pass(&broken, settings).expect_err("is told");
    assert!(
        error.to_string().starts_with("'dq/revenue-5m/metrics/batch_id=0-0/report.parquet' is no report"),
        "{error}"
    );
}

#[test]
fn replaced_files_linger_and_passes_are_made_when_they_would_come_to_something() {
    let (plan, linger) = (plan(), Duration::from_mins(1));
    let (memory, begun) = (Memory::of(store(&plan), usize::MAX), Instant::now());
    let reports = Reports::new(&memory, "revenue-5m", SETTINGS);
    let own = || memory.files.borrow().keys().filter(|path| path.contains("metrics/batch_id=")).count();
    let days = || memory.files.borrow().keys().filter(|path| path.contains("metrics/day=")).count();
    let mut due = Due::new(linger);
    let at = |seconds| begun + Duration::from_secs(seconds);
    let passed = due.see_to(&reports, &unsealed(), at(0)).expect("passes").expect("the first look");
    assert_eq!((passed.rolled_up, own(), days()), (32, 50, 2));
    assert_eq!(due.see_to(&reports, &unsealed(), at(59)).expect("passes"), None);
    assert_eq!(own(), 50);
    // A worker that has just come does not know for how long they have been there.
    let mut another = Due::new(linger);
    another.see_to(&reports, &unsealed(), at(59)).expect("passes").expect("its first look");
    assert_eq!(due.see_to(&reports, &unsealed(), at(60)).expect("passes"), None);
    assert_eq!((own(), days()), (18, 2));
    another.see_to(&reports, &unsealed(), at(119)).expect("passes");
    assert_eq!((own(), days()), (18, 2));
}

#[test]
fn the_files_are_the_same_whether_a_worker_was_there_all_the_time_or_has_just_come() {
    let plan = plan();
    // Twelve days, in the order of the log. Partition 1 says nothing for most of them, which its seals tell; it is back at the end.
    let minutes = (0..=12 * 24 * 60).step_by(480);
    let reports: Vec<_> = minutes
        .flat_map(|minute| [(0, minute), (1, minute)])
        .filter(|(partition, minute)| *partition == 0 || *minute < 600 || *minute > 11 * 24 * 60)
        .collect();
    for (after, keep) in [(0, None), (DAY / 2, None), (DAY, Some(30)), (DAY / 8, Some(77)), (3 * DAY, Some(72))] {
        let settings = ReportsPlan { roll_up_after_ms: after, keep_ms: keep.map(|hours| hours * DAY / 24) };
        let live = Memory::of(Files::new(), usize::MAX);
        let archive = Reports::new(&live, "revenue-5m", settings);
        let (mut due, mut standing) = (Due::new(Duration::ZERO), unsealed());
        for (partition, minute) in &reports {
            let mut files = Files::new();
            write(&mut files, &plan, *partition, *minute);
            for (path, bytes) in &files {
                live.write(path, bytes);
            }
            let time = MONDAY + minute * MINUTE;
            standing.reported.insert(*partition, time);
            standing.settled = vec![Some(time); 2];
            due.see_to(&archive, &standing, Instant::now()).expect("passes");
            let mut fresh = Due::new(Duration::ZERO);
            let before = live.found();
            fresh.see_to(&archive, &standing, Instant::now()).expect("passes");
            assert_eq!(live.found(), before, "rolled up after {after} ms, kept {keep:?}: another look at {minute}");
        }
    }
}
