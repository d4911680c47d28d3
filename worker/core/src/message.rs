//! What a collector must know of a message beside its content.

use crate::units::{Offset, Partition};

/// Where a message of the partials topic came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Its offset in the partials topic.
    pub at: Offset,
    /// The source partition whose lane sent it.
    pub partition: Partition,
    /// How often that partition had been taken over when it was sent.
    pub incarnation: u64,
}
