//! Laws broken on purpose, to see that the tests find it. Only with the feature `mutants`, which no product has.
//!
//! One switch for the whole process; off until it is switched on.

use std::sync::atomic::{AtomicU8, Ordering};

static BROKEN: AtomicU8 = AtomicU8::new(0);

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A duplicate is not remembered in its own window.
    SkipDuplicates = 1,
    /// Windows close at the end of a fetch, not at the record that moves the watermark.
    CloseAtFetchEnd = 2,
    /// Any checkpoint that does not lie behind the commit is used.
    StaleCheckpoint = 3,
    /// An owner commits the anchor that it knows, also an earlier one than was committed.
    AnchorGoesBack = 4,
}

/// Breaks this law from now on, or none.
pub fn switch(mutant: Option<Mutant>) {
    BROKEN.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::Release);
}

pub(crate) fn is(mutant: Mutant) -> bool {
    BROKEN.load(Ordering::Acquire) == mutant as u8
}
