//! Records that were gone from the log when they were needed, and the windows that may lack something for it.
//!
//! What it keeps true: what follows a loss is a function of what was committed and of the log from its first offset on, so every
//! restart comes to the same. A window that no loss names is the one that the whole log would have given, as long as log times
//! rise (`LogAppendTime`).

use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::units::{EventTime, Offset};
use crate::window::Window;

/// Most losses that are kept apart; of more, the oldest become one.
const MOST: usize = 4;

/// A stretch of a partition's log that was needed and gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// The first record that was needed.
    pub from: Offset,
    /// The first that was there.
    pub to: Offset,
    /// Records from here on had not been judged when they were lost; those before had, but what they left in open windows is gone.
    pub position: Offset,
    /// Windows that end by then had been closed, and are whole.
    pub after: EventTime,
    /// Windows that start then or later are whole; nothing while no record behind the loss has told how late it was.
    pub until: Option<EventTime>,
    /// Every window that a lost record may have opened is closed; `until` stays as it is.
    pub over: bool,
}

impl Loss {
    /// How many offsets were never judged.
    pub fn unread(&self) -> u64 {
        (self.to.0 - self.position.0).max(0).cast_unsigned()
    }

    /// Whether `window` may lack something.
    pub fn concerns(&self, window: Window) -> bool {
        window.end > self.after && self.until.is_none_or(|until| window.start < until)
    }

    /// Two losses as one.
    fn with(self, next: Self) -> Self {
        let until = self.until.zip(next.until).map(|(first, second)| first.max(second));
        Self { to: next.to, position: next.position, until, over: self.over && next.over, ..self }
    }
}

/// The end of the window that holds `latest`.
pub(crate) fn end_of(latest: EventTime, program: &Program) -> EventTime {
    if latest == EventTime::NEVER { latest } else { program.windows.of(latest).end }
}

/// The newest losses apart, the others as one.
pub(crate) fn remembered(losses: impl Iterator<Item = Loss>) -> Vec<Loss> {
    let mut losses: Vec<Loss> = losses.collect();
    while losses.len() > MOST {
        let second = losses.remove(1);
        losses[0] = losses[0].with(second);
    }
    losses
}
