//! How far a partition of the partials topic has come.

use crate::doubts::Doubt;
use crate::units::{EventTime, Offset};

/// What is committed with the offset of a partials partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorProgress {
    /// The next message.
    pub position: Offset,
    /// The first message of a window that is not published yet, or the position.
    pub anchor: Offset,
    /// Windows that end by then are published, or lost.
    pub published_until: EventTime,
    /// Windows that end by then may be lost: the topic no longer told all of them when it was read from its beginning.
    pub lost_until: EventTime,
    /// What source partitions have lost that windows to come may lack.
    pub doubts: Vec<Doubt>,
    /// Whether there had been earlier messages when the topic was read from its beginning.
    pub is_cut: bool,
    /// The seal of each source partition at the position.
    pub sealed: Vec<EventTime>,
    /// The incarnation of each source partition at the anchor: what it sent before a later take-over still counts.
    pub incarnations: Vec<u64>,
}

impl CollectorProgress {
    /// Nothing taken in yet of a partials partition that starts at `offset`, for `partitions` source partitions.
    pub fn start(offset: Offset, partitions: usize) -> Self {
        Self {
            position: offset,
            anchor: offset,
            published_until: EventTime::NEVER,
            lost_until: EventTime::NEVER,
            doubts: Vec::new(),
            is_cut: offset > Offset(0),
            sealed: vec![EventTime::NEVER; partitions],
            incarnations: vec![0; partitions],
        }
    }
}
