//! Passes over a store in memory that can end anywhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use schemas::report::Ledger;
use schemas::wire::{BatchBody, RuleBody, SampleBody};

use super::super::table;
use super::*;

/// 2026-11-23T00:00:00Z.
const MONDAY: i64 = 1_795_392_000_000;
const MINUTE: i64 = 60_000;

type Files = BTreeMap<String, Vec<u8>>;

/// Files in memory; after `left` changes none succeeds any more.
struct Memory {
    files: RefCell<Files>,
    left: RefCell<usize>,
}

impl Memory {
    fn of(files: Files, changes: usize) -> Self {
        Self { files: RefCell::new(files), left: RefCell::new(changes) }
    }

    fn change(&self, path: &str) -> Result<(), StoreError> {
        let mut left = self.left.borrow_mut();
        *left = left.checked_sub(1).ok_or_else(|| StoreError::Write {
            path: PathBuf::from(path),
            source: io::Error::other("the power is gone"),
        })?;
        Ok(())
    }
}

impl Archive for Memory {
    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let below = format!("{folder}/");
        let files = self.files.borrow();
        let names = files.keys().filter_map(|path| path.strip_prefix(&below)?.split('/').next().map(str::to_owned));
        Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.files.borrow().get(path).cloned())
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        self.change(path)?;
        let mut files = self.files.borrow_mut();
        if files.contains_key(path) {
            return Ok(Written::Existed);
        }
        files.insert(path.to_owned(), bytes.to_vec());
        Ok(Written::Created)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        if self.files.borrow().contains_key(path) {
            self.change(path)?;
            self.files.borrow_mut().remove(path);
        }
        Ok(())
    }
}

fn plan() -> plan::Plan {
    let quickstart = include_str!("../../../../examples/revenue-5m.yaml");
    plan::Plan::compile(&serde_saphyr::from_str(quickstart).expect("a manifest")).expect("a plan")
}

/// The files of a batch of `partition` that begins at `minute` of Monday, with a sample every other time.
fn write(files: &mut Files, plan: &plan::Plan, partition: i32, minute: i64) {
    let sample = SampleBody {
        rule: "region".to_owned(),
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
        }],
        latency: vec![(3, 100)],
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
    let mut files = Files::new();
    for partition in 0..2 {
        (0..=3 * 24 * 60).step_by(180).for_each(|minute| write(&mut files, plan, partition, minute));
    }
    files
}

const SETTINGS: ReportsPlan = ReportsPlan { roll_up_after_ms: DAY / 2, keep_ms: None };

fn pass(memory: &Memory, plan: ReportsPlan) -> Result<Passed, ReportsError> {
    Reports::new(memory, "revenue-5m", plan, 2).pass()
}

/// All rows as text: what a reader of the folder sees, each row once however many files hold it.
fn rows(files: &Files) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for bytes in files.values() {
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
    assert_eq!(passed, Passed { rolled_up: 2 * 2 * 8, removed: 0 });
    let after = memory.files.borrow().clone();
    assert_eq!(rows(&after), rows(&before));
    for (tree, own) in [("metrics", 2 * 9), ("samples", 2 * 5)] {
        let names: Vec<_> = after.keys().filter(|path| path.starts_with(&format!("dq/revenue-5m/{tree}/"))).collect();
        let days: Vec<_> = names.iter().filter(|path| path.contains("/day=2026-11-2")).collect();
        assert_eq!((days.len(), names.len() - days.len()), (2, own), "{names:?}");
    }
    assert_eq!(pass(&memory, SETTINGS).expect("passes"), Passed::default());
    assert_eq!(*memory.files.borrow(), after);
}

#[test]
fn a_pass_that_ends_anywhere_is_made_again_to_the_same_bytes() {
    let plan = plan();
    let before = store(&plan);
    let whole = Memory::of(before.clone(), usize::MAX);
    let settings = ReportsPlan { keep_ms: Some(2 * DAY), ..SETTINGS };
    pass(&whole, settings).expect("passes");
    let expected = whole.files.borrow().clone();
    let changes = usize::MAX - *whole.left.borrow();
    assert!(changes > 40, "{changes} changes");
    let all = rows(&before);
    for cut in 0..changes {
        let memory = Memory::of(before.clone(), cut);
        pass(&memory, settings).expect_err("it is cut short");
        let cut_short = memory.files.borrow().clone();
        if cut < changes - 2 {
            // The days to be removed go last.
            assert_eq!(rows(&cut_short), all, "a row is gone after {cut} changes");
        }
        let again = Memory::of(cut_short, usize::MAX);
        pass(&again, settings).expect("passes");
        assert_eq!(*again.files.borrow(), expected, "after {cut} changes");
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
    assert_eq!(pass(&memory, SETTINGS).expect("passes").rolled_up, 4);
    assert_eq!(*memory.files.borrow(), once);
    // One that was not there gets a file of its own beside the day's.
    write(&mut memory.files.borrow_mut(), &plan, 1, 7);
    pass(&memory, SETTINGS).expect("passes");
    let files = memory.files.borrow();
    assert_eq!(files.keys().filter(|path| path.contains("metrics/day=2026-11-23/")).count(), 2);
    assert_eq!(rows(&files).len(), rows(&once).len() + 2);
}

#[test]
fn a_slow_partition_is_waited_for_and_a_silent_one_is_not_for_ever() {
    let plan = plan();
    let mut files = Files::new();
    (0..3 * 24 * 60).step_by(360).for_each(|minute| write(&mut files, &plan, 0, minute));
    write(&mut files, &plan, 1, 600);
    let slow = Memory::of(files.clone(), usize::MAX);
    assert_eq!(pass(&slow, SETTINGS).expect("passes"), Passed::default(), "partition 1 may still report of Monday");
    write(&mut files, &plan, 0, 8 * 24 * 60);
    let silent = Memory::of(files.clone(), usize::MAX);
    assert_eq!(pass(&silent, SETTINGS).expect("passes").rolled_up, 13);
    // One that has never reported is silent from the oldest report on.
    files.retain(|path, _| !path.contains("batch_id=1-"));
    let never = Memory::of(files, usize::MAX);
    assert_eq!(pass(&never, SETTINGS).expect("passes").rolled_up, 12);
}

#[test]
fn days_are_removed_when_they_are_too_old() {
    let plan = plan();
    let memory = Memory::of(store(&plan), usize::MAX);
    let settings = ReportsPlan { keep_ms: Some(2 * DAY), ..SETTINGS };
    assert_eq!(pass(&memory, settings).expect("passes").removed, 1);
    assert!(memory.files.borrow().keys().all(|path| !path.contains("day=2026-11-23")));
    assert!(memory.files.borrow().keys().any(|path| path.contains("day=2026-11-24")));
    let (empty, broken) = (Memory::of(Files::new(), 0), Memory::of(store(&plan), usize::MAX));
    assert_eq!(pass(&empty, settings).expect("passes"), Passed::default());
    broken.files.borrow_mut().insert("dq/revenue-5m/metrics/batch_id=0-0/report.parquet".to_owned(), b"no".to_vec());
    let error = pass(&broken, settings).expect_err("is told");
    assert!(
        error.to_string().starts_with("'dq/revenue-5m/metrics/batch_id=0-0/report.parquet' is no report"),
        "{error}"
    );
}
