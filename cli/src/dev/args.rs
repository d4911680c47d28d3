//! Flags of `sluice dev`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::generate::Shape;

/// Flags of `sluice dev`.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, not a state")]
pub struct DevArgs {
    /// The manifest; '-' is standard input
    pub file: PathBuf,
    /// Which pipeline, when the file has several
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// A real Kafka instead of the embedded broker: bootstrap servers
    #[arg(long, value_name = "ADDR", requires = "registry")]
    pub kafka: Option<String>,
    /// A real schema registry instead of the embedded one
    #[arg(long, value_name = "URL", requires = "kafka")]
    pub registry: Option<String>,
    /// Most seconds to wait for Kafka and the registry to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "kafka")]
    pub wait: u64,
    /// Read on as the pipeline itself: its consumer group, partials and dead letters, instead of ones of your own; refused while the
    /// group has members
    #[arg(long, requires = "kafka", requires = "data")]
    pub take_over: bool,
    /// Folder for the tables, instead of the manifest's sink [default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// First remove what earlier runs of this pipeline left in that folder; not with a real Kafka, whose log goes on
    #[arg(long, conflicts_with = "kafka")]
    pub fresh: bool,
    /// Workers in this process, at most one per partition
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub workers: u32,
    /// Most records of one fetch
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub fetch_records: u32,
    /// Read to the end of the log as it is at the start, close all windows for good, sum up, exit; with --take-over they are left open
    #[arg(long)]
    pub bounded: bool,
    /// Let a bounded run leave the windows open that are open at its end, so that the next one goes on with them
    #[arg(long, requires = "bounded", conflicts_with = "generate")]
    pub leave_open: bool,
    /// Lines instead of the live view
    #[arg(long)]
    pub plain: bool,
    /// Where the first worker answers /metrics and /v1/status
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// First generate that many sample events and compare the outcome with their truth
    #[arg(long, value_name = "COUNT")]
    pub generate: Option<u64>,
    /// Generated events per second; 0 is as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 0, requires = "generate")]
    pub rate: u64,
    /// Folder for truth.json and truth.csv of the generated events
    #[arg(long, value_name = "DIR", requires = "generate")]
    pub truth: Option<PathBuf>,
    /// The shape of the generated events.
    #[command(flatten)]
    pub shape: Shape,
}

impl DevArgs {
    /// The folder for the tables.
    pub fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or_else(|| Path::new("data"))
    }

    /// Whether a bounded run leaves windows open. Those of the pipeline itself are never closed for it.
    pub fn leaves_open(&self) -> bool {
        self.leave_open || self.take_over
    }

    /// Whether the run has a group and topics of its own on a Kafka that others use.
    pub fn keeps_apart(&self) -> bool {
        self.kafka.is_some() && !self.take_over
    }
}
