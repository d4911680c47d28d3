//! `sluice generate`: seeded sample events into a topic, and their truth into a folder.
//!
//! Keeps true: the truth is written only after every record is acknowledged.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::compare::money;
use super::files::WriteTruthError;
use super::options::{Options, Shape, Windows};
use super::registry::{RegisterError, register};
use super::send::{SendError, Target, send};
use super::topic::{MakeTopicError, make_topic};
use super::truth::Truth;

/// Flags of `sluice generate`.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateArgs {
    /// Kafka bootstrap servers
    #[arg(long, value_name = "ADDR", env = "SLUICE_KAFKA")]
    pub kafka: String,
    /// Schema registry; the sample schema is registered there
    #[arg(long, value_name = "URL", env = "SLUICE_REGISTRY")]
    pub registry: String,
    /// Topic; made with log append time if it is not there
    #[arg(long, default_value = "sales.events.v1")]
    pub topic: String,
    /// Number of records, all kinds together
    #[arg(long, default_value_t = 100_000)]
    pub count: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 3)]
    pub partitions: u32,
    /// Records per second; 0 is as fast as it goes
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Stamp records with a log time that fits the event times, for topics without log append time
    #[arg(long)]
    pub create_time: bool,
    /// Folder for truth.json and truth.csv
    #[arg(long, value_name = "DIR")]
    pub truth: Option<PathBuf>,
    /// The shape of the stream.
    #[command(flatten)]
    pub shape: Shape,
    /// The pipeline that the truth is told for.
    #[command(flatten)]
    pub windows: Windows,
}

/// Why `sluice generate` failed.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The schema has no id.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The topic is not there and cannot be made.
    #[error(transparent)]
    MakeTopic(#[from] MakeTopicError),
    /// The stream is not in the topic.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The truth is not on disk.
    #[error(transparent)]
    WriteTruth(#[from] WriteTruthError),
}

/// Registers the schemas, makes the topic if need be, sends the stream, writes the truth, says what was done.
///
/// # Errors
/// The first step that failed.
pub fn run(args: &GenerateArgs) -> Result<Truth, GenerateError> {
    let options = Options {
        count: args.count,
        partitions: args.partitions,
        shape: args.shape.clone(),
        windows: args.windows.clone(),
    };
    let ids = register(&args.registry, &args.topic, options.shape.v2 > 0.0)?;
    make_topic(&args.kafka, &args.topic, args.partitions)?;
    let bar = progress_bar("generating", args.count);
    let target = Target { rate: args.rate, create_time: args.create_time, ..Target::new(&args.kafka, &args.topic) };
    let truth = send(&options, ids, &target, |sent| bar.set_position(sent))?;
    bar.finish_and_clear();
    if let Some(folder) = &args.truth {
        truth.write(folder)?;
    }
    // A reader that went away takes nothing from what was done.
    let _ = writeln!(std::io::stdout(), "{}", summary(&truth, args));
    Ok(truth)
}

/// A bar on standard error, of things of which one says what is done with them; silent when that is no terminal.
pub fn progress_bar(doing: &'static str, count: u64) -> ProgressBar {
    let hidden = !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} eta {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(count), target).with_style(style).with_message(doing)
}

fn summary(truth: &Truth, args: &GenerateArgs) -> String {
    let counts = truth.counts();
    let written = args.truth.as_ref().map_or_else(String::new, |folder| format!("\ntruth in {}", folder.display()));
    format!(
        "{} records to topic '{}': {} to be counted, {} duplicate, {} late, {} invalid, {} undecodable\n\
         expected gold: {} rows, revenue {}{written}",
        counts.consumed,
        args.topic,
        counts.counted,
        counts.duplicate,
        counts.late,
        counts.invalid,
        counts.undecodable,
        truth.gold().count(),
        money(truth.revenue_cents()),
    )
}
