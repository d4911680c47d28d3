//! How long a restart takes with and without a checkpoint, and what checkpoints cost, by the number of remembered ids.
//!
//! One partition, all events in windows that stay open. Without a checkpoint the events are decoded and judged again; what the
//! Kafka client takes to bring them comes on top.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cli::generate::{Generator, Options, SchemaIds};
use plan::Plan;
use stream_core::{Fetch, Lane, Offset, Program, Progress};
use worker::checkpoint::manifest::{FORMAT, Identity};
use worker::checkpoint::{Keeper, LocalVolume};
use worker::decode::{Decoder, LogClock, WriterSchema};

use crate::cpu::thread;
use crate::memory::Held;

/// Records between two checkpoints.
const NEW: u64 = 10_000;
const FETCH: usize = 16_384;

/// How long something took. On a machine that does other things the two differ.
#[derive(Clone, Copy, Default)]
pub struct Taken {
    /// By the clock.
    pub clock: Duration,
    /// On a processor; one thread does it.
    pub processor: Duration,
}

impl Taken {
    fn by<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let (clock, processor) = (Instant::now(), thread());
        let done = work();
        (done, Self { clock: clock.elapsed(), processor: thread().saturating_sub(processor) })
    }
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.clock += other.clock;
        self.processor += other.processor;
    }
}

/// What one size measured.
pub struct Measured {
    /// Ids remembered.
    pub ids: usize,
    /// Decoding and judging everything again.
    pub replay: Taken,
    /// Reading the checkpoint back.
    pub restore: Taken,
    /// Bytes of the first checkpoint, which holds everything.
    pub all: u64,
    /// Bytes that the checkpoint after [`NEW`] more records added.
    pub new: u64,
    /// How long that took, fsync included.
    pub save: Duration,
}

/// Measures a lane that remembers about `ids` ids.
pub fn run(plan: &Plan, ids: u64) -> anyhow::Result<Measured> {
    let program = Arc::new(worker::program::program(plan));
    let mut options = Options::new(ids + NEW, 1);
    (options.shape.span, options.shape.jitter, options.shape.late) = (60_000, 1000, 0.0);
    let mut log = Log::new(plan, &options)?;
    let mut lane = Lane::resume(program.clone(), &Progress::start(Offset(0)))?;
    let replay = log.feed(&mut lane, ids)?;
    let folder = tempfile::tempdir()?;
    let mut keeper = keeper(folder.path(), &program);
    let all = keeper.save(&mut lane)?.context("a lane that is not replaying")?.written;
    log.feed(&mut lane, NEW)?;
    let started = Instant::now();
    let new = keeper.save(&mut lane)?.context("a lane that is not replaying")?.written;
    let save = started.elapsed();
    let progress = lane.progress();
    let held = lane.open_windows().map(|(_, ids, _)| ids).sum();
    drop(lane);
    let (restored, restore) = Taken::by(|| self::keeper(folder.path(), &program).load(&program, &progress));
    let restored = restored.context("a usable checkpoint")?;
    ensure!(restored.progress() == progress, "the restored lane stands elsewhere");
    Ok(Measured { ids: held, replay, restore, all, new, save })
}

fn keeper(folder: &std::path::Path, program: &Program) -> Keeper {
    let (engine, topic) = (env!("CARGO_PKG_VERSION").to_owned(), "0".repeat(32));
    let identity =
        Identity { format: FORMAT, engine, topic, partition: 0, revision: 1, program: program.fingerprint() };
    Keeper::open(Arc::new(LocalVolume::new(folder)), identity)
}

type Schemas = Box<dyn Fn(u32) -> Result<WriterSchema, worker::decode::RegistryUnreachable>>;

/// Generated events, decoded as they are wanted.
struct Log {
    generator: Generator,
    decoder: Decoder<Schemas>,
    clock: LogClock,
    timestamp: i64,
    next: i64,
}

impl Log {
    fn new(plan: &Plan, options: &Options) -> anyhow::Result<Self> {
        let generator = Generator::new(options, SchemaIds { first: 1, second: None })?;
        let schema: Arc<str> = plan.full_schema.clone().into();
        let schemas: Schemas =
            Box::new(move |id| Ok(if id == 1 { WriterSchema::Avro(schema.clone()) } else { WriterSchema::Unknown }));
        let decoder = Decoder::new(schemas, &plan.reader_schema, plan.arrow_schema.clone());
        Ok(Self { generator, decoder, clock: LogClock::resume(0), timestamp: options.end(), next: 0 })
    }

    /// Feeds the next `count` records; how long decoding and judging took.
    fn feed(&mut self, lane: &mut Lane, count: u64) -> anyhow::Result<Taken> {
        let (end, mut took) = (self.next + count as i64, Taken::default());
        while self.next < end {
            let mut records = Vec::new();
            while records.len() < FETCH && self.next < end {
                let event = self.generator.next_event().context("the stream is long enough")?;
                let value = event.value.map(<[u8]>::to_vec);
                records.push(Held { offset: self.next, timestamp: self.timestamp, value });
                self.next += 1;
            }
            let (fed, taken) = Taken::by(|| self.judge(lane, &records));
            fed?;
            took += taken;
        }
        Ok(took)
    }

    fn judge(&mut self, lane: &mut Lane, records: &[Held]) -> anyhow::Result<()> {
        let taken = self.decoder.decode(records, &mut self.clock)?;
        lane.feed(&Fetch {
            rows: &taken.batch,
            offsets: &taken.offsets,
            log_times: &taken.log_times,
            undecodable: &taken.poison(),
            end: Offset(self.next),
        })?;
        Ok(())
    }
}
