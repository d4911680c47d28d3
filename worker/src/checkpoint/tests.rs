//! A checkpoint on a real folder: what is written, what is trusted, and what it costs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use stream_core::{
    BatchCut, Computed, Expression, Fetch, Function, Group, Measure, TimeBounds, TimeColumn, Windows, Written,
};

use super::*;

fn column(index: usize) -> Computed {
    (Arc::new(Column::new("c", index)) as Expression).into()
}

/// Ids, event times, groups; `count(*)`, and the sum of the event times.
fn program() -> Arc<Program> {
    let measure = |name: &str, function, argument, input, output| Measure {
        name: name.to_owned(),
        function,
        argument,
        predicate: None,
        input,
        output,
    };
    let total = DataType::Decimal128(38, 0);
    let windows = Windows { size: 1000, offset: 0 };
    Arc::new(Program {
        event_id: 0,
        event_time: TimeColumn { column: 1, written: Written::Plain(TimeUnit::Millisecond) },
        ingest_time: None,
        delay: 100,
        times: TimeBounds::new(EventTime::NEVER, i64::MAX, &windows),
        windows,
        filter: None,
        rules: Vec::new(),
        redacted: Vec::new(),
        groups: vec![Group { name: "g".to_owned(), value: column(2), data_type: DataType::Utf8 }],
        measures: vec![
            measure("n", Function::Count, None, DataType::Null, DataType::Int64),
            measure("t", Function::Sum, Some(column(1)), DataType::Int64, total),
        ],
        batch: BatchCut { interval: 10_000, max_records: 1_000_000, samples: 0 },
        outputs: 1,
        late_to_dead_letter: true,
        ignore_nulls: false,
        guard: None,
    })
}

fn identity() -> Identity {
    let (engine, topic, program) = ("test".to_owned(), "a".repeat(32), program().fingerprint());
    Identity { format: manifest::FORMAT, engine, topic, partition: 3, revision: 1, program }
}

/// Feeds `records` records from the lane's position on, all with the event time `time`.
fn feed(lane: &mut Lane, records: i64, time: i64) {
    let from = lane.position().0;
    let offsets: Vec<i64> = (from..from + records).collect();
    let groups = offsets.iter().map(|offset| format!("g{}", offset % 5)).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(offsets.clone())),
        Arc::new(Int64Array::from_value(time, offsets.len())),
        Arc::new(StringArray::from(groups)),
    ];
    let fields: Vec<Field> = columns.iter().map(|column| Field::new("c", column.data_type().clone(), true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns fit");
    let (log_times, end) = (vec![time; offsets.len()], Offset(from + records));
    let fetch = Fetch { rows: &rows, offsets: &offsets, log_times: &log_times, undecodable: &[], end };
    lane.feed(&fetch).expect("the program fits the rows");
}

struct World {
    folder: tempfile::TempDir,
    lane: Lane,
    keeper: Keeper,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lane = Lane::resume(program(), &Progress::start(Offset(0))).expect("the program is sound");
        let keeper = keeper(folder.path());
        Self { folder, lane, keeper }
    }

    fn save(&mut self) -> Saved {
        self.keeper.save(&mut self.lane).expect("writes").expect("it is not replaying")
    }

    fn restart(&self, progress: &Progress) -> Option<Lane> {
        keeper(self.folder.path()).load(&program(), progress)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("a".repeat(32)).join("3").join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).expect("the folder is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn keeper(folder: &Path) -> Keeper {
    Keeper::open(Arc::new(LocalVolume::new(folder)), identity())
}

#[test]
fn a_restart_begins_where_the_last_checkpoint_was_taken() {
    let mut world = World::new();
    feed(&mut world.lane, 100, 500);
    world.save();
    feed(&mut world.lane, 100, 700);
    let saved = world.save();
    let restored = world.restart(&world.lane.progress()).expect("a checkpoint leads there");
    assert_eq!(restored.position(), saved.position);
    assert_eq!(restored.progress(), world.lane.progress());
    assert_eq!(restored.state(), world.lane.state());
}

/// The commit may be ahead of the checkpoint: the records between are read again, in silence.
#[test]
fn an_older_checkpoint_shortens_the_replay() {
    let mut world = World::new();
    feed(&mut world.lane, 100, 500);
    let saved = world.save();
    feed(&mut world.lane, 50, 800);
    let committed = world.lane.progress();
    let mut restored = world.restart(&committed).expect("a checkpoint leads there");
    assert_eq!(restored.position(), saved.position);
    assert!(restored.is_replaying());
    feed(&mut restored, 50, 800);
    assert_eq!((restored.progress(), restored.state()), (committed, world.lane.state()));
}

/// A checkpoint whose commit was not made is passed over for the one before.
#[test]
fn a_checkpoint_ahead_of_the_commit_is_not_used() {
    let mut world = World::new();
    feed(&mut world.lane, 100, 500);
    let saved = world.save();
    let committed = world.lane.progress();
    feed(&mut world.lane, 100, 600);
    world.save();
    let restored = world.restart(&committed).expect("the one before leads there");
    assert_eq!(restored.position(), saved.position);
}

#[test]
fn another_history_is_not_continued() {
    let mut world = World::new();
    feed(&mut world.lane, 100, 500);
    world.save();
    // Somebody else decreed at an earlier position what this volume never heard of.
    let mut other = Lane::resume(program(), &Progress::start(Offset(0))).expect("the program is sound");
    feed(&mut other, 50, 500);
    other.decree(EventTime(450)).expect("decrees");
    feed(&mut other, 100, 500);
    assert!(world.restart(&other.progress()).is_none());
    assert!(world.names().is_empty(), "what is of no use is removed");
}

#[test]
fn anything_damaged_is_passed_over_for_what_is_not() {
    for damage in ["manifest-2", "0-1.ids", "0-1.rows"] {
        for cut in [false, true] {
            let mut world = World::new();
            feed(&mut world.lane, 100, 500);
            let first = world.save();
            let committed = world.lane.progress();
            feed(&mut world.lane, 100, 600);
            world.save();
            let path = world.path(damage);
            let mut bytes = fs::read(&path).expect("the file is there");
            let last = bytes.len() - 1;
            if cut {
                bytes.truncate(last);
            } else {
                bytes[last] ^= 1;
            }
            fs::write(&path, bytes).expect("writes");
            // The bytes that only the second names are damaged: the first still holds.
            let restored = world.restart(&committed).map(|lane| lane.position());
            assert_eq!(restored, Some(first.position), "{damage}, cut: {cut}");
        }
    }
}

#[test]
fn damage_in_what_both_name_leaves_kafka() {
    let mut world = World::new();
    feed(&mut world.lane, 100, 500);
    world.save();
    feed(&mut world.lane, 100, 600);
    world.save();
    let path = world.path("0-1.ids");
    let mut bytes = fs::read(&path).expect("the file is there");
    bytes[0] ^= 1;
    fs::write(&path, bytes).expect("writes");
    assert!(world.restart(&world.lane.progress()).is_none());
}

#[test]
fn a_checkpoint_of_something_else_is_not_used() {
    let changes: [fn(&mut Identity); 4] = [
        |identity| identity.format += 1,
        |identity| identity.engine.push('x'),
        |identity| identity.revision += 1,
        |identity| identity.program.push('x'),
    ];
    for change in changes {
        let mut world = World::new();
        feed(&mut world.lane, 100, 500);
        world.save();
        let mut other = identity();
        change(&mut other);
        let mut keeper = Keeper::open(Arc::new(LocalVolume::new(world.folder.path())), other.clone());
        assert!(keeper.load(&program(), &world.lane.progress()).is_none(), "{other:?}");
    }
}

#[test]
fn a_checkpoint_costs_what_is_new() {
    let mut world = World::new();
    feed(&mut world.lane, 100_000, 500);
    let all = world.save();
    feed(&mut world.lane, 100, 500);
    let little = world.save();
    assert!(all.written > 16 * 100_000, "{all:?}");
    assert!(little.written < 16 * 100 + 5000, "{little:?}");
    assert!(little.held > all.held, "{little:?}");
}

/// Closed windows, replaced rows and checkpoints but the last two leave nothing behind.
#[test]
fn nothing_is_left_behind() {
    let mut world = World::new();
    for step in 0..2000 {
        feed(&mut world.lane, 20, 500 * step);
        world.save();
        assert!(world.names().len() <= 2 + 2 * 2 * 2, "{:?}", world.names());
    }
    assert!(world.restart(&world.lane.progress()).is_some());
    assert_eq!(world.names().iter().filter(|name| name.starts_with("manifest")).count(), 1);
}

#[test]
fn rows_that_are_replaced_again_and_again_are_written_anew() {
    let mut world = World::new();
    let mut most = 0;
    for _ in 0..2000 {
        feed(&mut world.lane, 5, 500);
        most = most.max(world.save().held);
    }
    assert!(most < 2_000_000, "{most} bytes for 10000 ids and five groups");
    let restored = world.restart(&world.lane.progress()).expect("a checkpoint leads there");
    assert_eq!(restored.state(), world.lane.state());
}

/// A volume without room.
struct Full(LocalVolume, std::sync::atomic::AtomicBool);

impl Volume for Full {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(path)
    }

    fn append(&self, path: &str, length: u64, bytes: &[u8]) -> io::Result<()> {
        if self.1.load(std::sync::atomic::Ordering::Relaxed) {
            self.0.append(path, length, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.append(path, length, bytes)
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.replace(path, bytes)
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.names(folder)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.0.remove(path)
    }
}

#[test]
fn after_a_full_disk_everything_is_written_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let full = Arc::new(Full(LocalVolume::new(folder.path()), false.into()));
    let mut keeper = Keeper::open(full.clone(), identity());
    let mut lane = Lane::resume(program(), &Progress::start(Offset(0))).expect("the program is sound");
    feed(&mut lane, 100, 500);
    keeper.save(&mut lane).expect("there is room");
    feed(&mut lane, 100, 500);
    full.1.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = keeper.save(&mut lane).expect_err("there is no room");
    assert!(error.to_string().starts_with("the volume refuses"), "{error}");
    assert_eq!(
        (error.reason(), SaveError::Write(io::ErrorKind::ReadOnlyFilesystem.into()).reason()),
        ("VolumeFull", "CheckpointFailed")
    );
    full.1.store(false, std::sync::atomic::Ordering::Relaxed);
    feed(&mut lane, 100, 600);
    keeper.save(&mut lane).expect("there is room again");
    let mut again = Keeper::open(full, identity());
    let restored = again.load(&program(), &lane.progress()).expect("a checkpoint leads there");
    assert_eq!(restored.state(), lane.state());
}
