//! `sluice completion`: words for the shell's completion.

use std::io::Write;

use clap::Command;
use clap_complete::Shell;

/// Flags of `sluice completion`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: Shell,
}

/// Writes the completion of `command` for a shell.
pub fn run(args: &CompletionArgs, mut command: Command, out: &mut dyn Write) {
    clap_complete::generate(args.shell, &mut command, "sluice", out);
}
