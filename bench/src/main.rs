//! Measurements: events per second of processor time, from memory and end to end.

mod cpu;
mod endtoend;
mod memory;
mod resident;
mod restart;
mod sums;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use plan::Plan;
use schemas::spec::AnalyticsPipeline;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// The pipeline.
    #[arg(long, default_value = "examples/revenue-5m.yaml", global = true)]
    pipeline: String,
}

#[derive(Subcommand)]
enum What {
    /// The pure core from memory.
    Core {
        /// Events.
        #[arg(long, default_value_t = 2_000_000)]
        events: u64,
        /// Records of a fetch.
        #[arg(long, default_value_t = 16_384)]
        fetch: usize,
        /// Runs, of which the median is quoted.
        #[arg(long, default_value_t = 3)]
        runs: usize,
    },
    /// What a value costs in the running total of a sum.
    Sums {
        /// Values.
        #[arg(long, default_value_t = 2_000_000)]
        values: usize,
        /// Records of a fetch.
        #[arg(long, default_value_t = 16_384)]
        fetch: usize,
    },
    /// Restarts with and without a checkpoint.
    Restart {
        /// Remembered ids, one measurement each.
        #[arg(long, value_delimiter = ',', default_values_t = [100_000, 1_000_000, 10_000_000])]
        ids: Vec<u64>,
    },
    /// The whole pipeline against a real broker, beside consuming alone; in processes of their own, in turn.
    E2e {
        #[command(flatten)]
        servers: endtoend::Servers,
        /// Events.
        #[arg(long, default_value_t = 5_000_000)]
        events: u64,
        /// Rounds, of which the median is quoted.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Resident memory over a log, and over one of ten times the events and hours.
    Resident {
        /// Events of the shorter log.
        #[arg(long, default_value_t = 5_000_000)]
        events: u64,
        /// Hours of event time of the shorter log.
        #[arg(long, default_value_t = 6)]
        hours: u32,
    },
    /// One run of the whole pipeline; prints what it used.
    #[command(hide = true)]
    Run(endtoend::Work),
    /// One run of consuming alone; prints what it used.
    #[command(hide = true)]
    Consume(endtoend::Work),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.what {
        What::Core { events, fetch, runs } => core(&load(&arguments.pipeline)?, events, fetch, runs),
        What::Sums { values, fetch } => sums(values, fetch),
        What::Restart { ids } => restarts(&load(&arguments.pipeline)?, &ids),
        What::E2e { servers, events, rounds } => endtoend::compare(&servers, events, rounds),
        What::Resident { events, hours } => resident::compare(events, hours),
        What::Run(work) => endtoend::run(&work),
        What::Consume(work) => endtoend::consume(&work),
    }
}

fn sums(values: usize, fetch: usize) -> anyhow::Result<()> {
    for (name, nanos) in sums::run(values, fetch)? {
        println!("sum of {name}: {nanos:.1} ns per value");
    }
    Ok(())
}

fn restarts(plan: &Plan, sizes: &[u64]) -> anyhow::Result<()> {
    for ids in sizes {
        let restart::Measured { ids, replay, restore, all, new, save } = restart::run(plan, *ids)?;
        println!(
            "{ids} ids: replay {}, from the checkpoint {}; checkpoint {all} bytes, the next one {new} bytes in {} ms",
            seconds(replay),
            seconds(restore),
            save.as_millis(),
        );
    }
    Ok(())
}

fn seconds(taken: restart::Taken) -> String {
    let restart::Taken { clock, processor } = taken;
    format!("{:.3} s ({:.3} s of processor)", clock.as_secs_f64(), processor.as_secs_f64())
}

fn load(path: &str) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read '{path}'"))?;
    let pipeline: AnalyticsPipeline =
        serde_saphyr::from_str(&text).with_context(|| format!("cannot parse '{path}'"))?;
    Ok(Plan::compile(&pipeline)?)
}

fn core(plan: &Plan, events: u64, fetch: usize, runs: usize) -> anyhow::Result<()> {
    for _ in 0..runs {
        let measured = memory::run(plan, events, plan.source.partitions, fetch)?;
        let nanos = |time: std::time::Duration| time.as_nanos() as f64 / measured.records as f64;
        let (ids, bytes) = measured.ids;
        println!(
            "{} events: decode {:.0} ns, judge and fold {:.0} ns, both {:.2} M events/s; {} ids held in {:.1} bytes each",
            measured.records,
            nanos(measured.decode),
            nanos(measured.fold),
            cpu::rate(measured.records, measured.decode + measured.fold) / 1e6,
            ids,
            bytes as f64 / ids.max(1) as f64,
        );
    }
    println!("peak memory {} MB (the events are held in memory)", cpu::peak_memory() / 1_000_000);
    Ok(())
}
