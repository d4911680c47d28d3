//! Where progress is shown: the live view on a terminal, or a line every second.
//!
//! Keeps true: the terminal is given back however the run ends.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};

use super::snapshot::Snapshot;
use super::{panel, plain};

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where progress is shown.
pub enum Screen {
    /// The live view.
    Panel(Box<DefaultTerminal>),
    /// Lines on standard error.
    Lines {
        /// When the last one was shown.
        last: Option<Duration>,
    },
}

impl Screen {
    /// Whether the live view is possible and wanted.
    pub fn wants_panel(plain: bool) -> bool {
        !plain && io::stdout().is_terminal() && io::stdin().is_terminal()
    }

    /// Opens the live view, or gets ready for lines.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn open(panel: bool) -> io::Result<Self> {
        if panel { Ok(Self::Panel(Box::new(ratatui::try_init()?))) } else { Ok(Self::Lines { last: None }) }
    }

    /// Shows a moment.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        match self {
            Self::Panel(terminal) => terminal.draw(|frame| panel::draw(frame, snapshot)).map(|_| ()),
            Self::Lines { last } => {
                if last.is_none_or(|last| snapshot.elapsed.saturating_sub(last) >= LINE_EVERY) {
                    *last = Some(snapshot.elapsed);
                    writeln!(io::stderr(), "{}", plain::line(snapshot))?;
                }
                Ok(())
            }
        }
    }

    /// Waits a little; true when the person at the terminal wants to stop.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn pause(&self, time: Duration) -> io::Result<bool> {
        let Self::Panel(_) = self else {
            std::thread::sleep(time);
            return Ok(false);
        };
        if !event::poll(time)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        Ok(interrupt || key.code == KeyCode::Char('q'))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Self::Panel(_) = self {
            ratatui::restore();
        }
    }
}
