//! `sluice completion`: words for the shell's completion.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

/// Flags of `sluice completion`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: Shell,
}

/// Writes the completion of `command` for a shell.
///
/// # Errors
/// `out` cannot be written.
pub fn run(args: &CompletionArgs, mut command: Command, out: &mut dyn Write) -> io::Result<()> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "sluice", &mut script);
    out.write_all(&script)
}
