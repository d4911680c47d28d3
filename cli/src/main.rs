//! `sluice`: the command line, also as the kubectl plugin.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use cli::{completion, crd, dev, dlq, explain, generate, quality, query, status, validate, verify};
use schemas::text::plain_lines;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns a Kafka topic of Avro events into exact, audited, windowed tables in Parquet.
///
/// Exit codes: 0 done and right; 1 problems, differences, or a step that failed; 2 wrong usage.
#[derive(Parser)]
#[command(name = "sluice", version, arg_required_else_help = true)]
struct Sluice {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a manifest on this machine
    #[command(
        after_help = "Exit codes: 0 the run is over, its ledger balances and generated events came out as they should; \
                            1 anything else; 2 wrong usage"
    )]
    Dev(Box<dev::DevArgs>),
    /// Check manifests: every problem at once, with its place
    #[command(
        after_help = "Exit codes: 0 all are right; 1 problems, or no pipeline; 2 wrong usage, or an unreadable file"
    )]
    Validate(validate::ValidateArgs),
    /// Send seeded sample events to a topic, and write their truth
    #[command(after_help = "Exit codes: 0 all events are acknowledged; 1 they are not; 2 wrong usage")]
    Generate(Box<generate::GenerateArgs>),
    /// Query the tables with SQL
    #[command(after_help = "Exit codes: 0 the query ran; 1 it did not, or the store is empty; 2 wrong usage")]
    Query(query::QueryArgs),
    /// Print the definition of the resource: sluice crd | kubectl apply --server-side -f -
    Crd,
    /// What was refused, why, and back into the topic
    #[command(after_help = "Exit codes: 0 done; 1 it failed; 2 wrong usage")]
    Dlq(dlq::DlqArgs),
    /// Try rules before they are applied
    #[command(after_help = "Exit codes: 0 done; 1 it failed; 2 wrong usage")]
    Quality(quality::QualityArgs),
    /// One screen about a running pipeline: conditions, partitions, windows, quality
    #[command(after_help = "Exit codes: 0 done; 1 it failed; 2 wrong usage")]
    Status(status::StatusArgs),
    /// Why a window is not published yet
    #[command(after_help = "Exit codes: 0 done; 1 it failed; 2 wrong usage")]
    Explain(explain::ExplainArgs),
    /// Recompute the published windows from Kafka and compare the files, byte for byte
    #[command(after_help = "Exit codes: 0 there are windows, and all are equal; 1 anything else; 2 wrong usage")]
    Verify(verify::VerifyArgs),
    /// Print the completion for a shell
    Completion(completion::CompletionArgs),
}

fn main() -> ExitCode {
    let verb = Sluice::parse().verb;
    let mut out = std::io::stdout();
    let done = match verb {
        Verb::Dev(args) => dev::run(&args, &mut out).map_err(anyhow::Error::from),
        Verb::Validate(args) => validate::run(&args, &mut out).map_err(anyhow::Error::from),
        Verb::Generate(args) => generate::run(&args).map(|_| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Query(args) => query::run(&args, &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Crd => crd::run(&mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Dlq(args) => dlq::run(&args, &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Quality(args) => quality::run(&args, &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Status(args) => status::run(&args, &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Explain(args) => explain::run(&args, &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Verify(args) => verify::run(&args, &mut out).map_err(anyhow::Error::from),
        Verb::Completion(args) => {
            completion::run(&args, Sluice::command(), &mut out).map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from)
        }
    };
    match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice: {}", plain_lines(&told(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, those left out that are told already.
fn told(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |told, cause| {
        let cause = cause.to_string();
        if told.contains(&cause) { told } else { format!("{told}: {cause}") }
    })
}

/// Whether the reader of our output went away, as `head` does.
fn broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
