//! `sluice validate`: every problem of every manifest at once, for people or for machines.
//!
//! Keeps true: the machine formats are stable (fields are added, never renamed), and so are codes and exit codes:
//! 0 all manifests are right, 1 there are problems or nothing to check, 2 wrong usage or a file that cannot be read.

mod json;
mod sarif;
mod text;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::manifest::{self, Document, Finding, Source};

pub use text::{Style, render};

/// Flags of `sluice validate`.
#[derive(Debug, Clone, clap::Args)]
pub struct ValidateArgs {
    /// Manifests; '-' is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How to show the result
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How to show the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// With the lines concerned, for people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code review tools
    Sarif,
}

/// A file and its documents.
#[derive(Debug)]
pub struct Checked {
    /// The file.
    pub source: Source,
    /// Its documents, in order.
    pub documents: Vec<Document>,
}

impl Checked {
    /// Reads and checks a text.
    pub fn new(source: Source) -> Self {
        let documents = manifest::read(&source);
        Self { source, documents }
    }

    /// All problems, in the order of the file.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.documents.iter().flat_map(|document| match document {
            Document::Broken { findings, .. } => findings.as_slice(),
            _ => &[],
        })
    }

    /// Number of documents that are, or were meant to be, pipelines.
    pub fn pipelines(&self) -> usize {
        self.documents.iter().filter(|document| !matches!(document, Document::Skipped(_))).count()
    }
}

/// Why a file cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadFileError {
    /// The file cannot be read.
    #[error("cannot read '{file}': {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("'{file}' is not text: byte {byte} is not UTF-8")]
    Decode {
        /// The file.
        file: String,
        /// The first byte that is not.
        byte: usize,
    },
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn source(file: &Path) -> Result<Source, ReadFileError> {
    let stdin = file.as_os_str() == "-";
    let name = if stdin { "<stdin>".to_owned() } else { file.display().to_string() };
    let mut bytes = Vec::new();
    let read = if stdin {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|content| bytes = content)
    };
    read.map_err(|source| ReadFileError::Read { file: name.clone(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text), name }),
        Err(error) => Err(ReadFileError::Decode { file: name, byte: error.utf8_error().valid_up_to() }),
    }
}

/// The verb: exit code 0, 1 or 2.
///
/// # Errors
/// The result cannot be written.
pub fn run(args: &ValidateArgs, out: &mut dyn Write) -> std::io::Result<ExitCode> {
    let (mut checked, mut unreadable) = (Vec::new(), false);
    for file in &args.files {
        match source(file) {
            Ok(source) => checked.push(Checked::new(source)),
            Err(error) => {
                unreadable = true;
                eprintln!("sluice: {error}");
            }
        }
    }
    match args.output {
        Output::Text => text::write(&checked, Style::of(std::io::stdout().is_terminal()), out)?,
        Output::Json => json::write(&checked, out)?,
        Output::Sarif => sarif::write(&checked, out)?,
    }
    let wrong = checked.iter().flat_map(Checked::findings).next().is_some();
    let empty = checked.iter().map(Checked::pipelines).sum::<usize>() == 0;
    Ok(ExitCode::from(if unreadable { 2 } else { u8::from(wrong || empty) }))
}

#[cfg(test)]
mod tests;
