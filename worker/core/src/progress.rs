//! How far a partition has come, and from where it can be rebuilt: the replay theorem's anchor.
//!
//! `A(o)` is the smallest first-record offset among the windows open at `o`, or `o` itself. Right *verdicts* from `o` on need
//! a replay from `A(o)`; the right *state* at `c` needs one from `A(A(c))` (the records whose verdicts made the state must
//! themselves be judged rightly) and from `A(b)`, where `b` is the start of the batch open at `c`. The smaller is the anchor.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::loss::Loss;
use crate::units::{EventTime, LogTime, Offset};

/// A record's batch: (log time ÷ interval, offset ÷ maximum), both rounded down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct BatchKey(pub i64, pub i64);

/// A place in the log together with what a replay that starts there must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The record to read first.
    pub offset: Offset,
    /// The watermark just before it.
    pub watermark: EventTime,
    /// The log time of the record before it (on a `CreateTime` topic the running maximum).
    pub log_time: LogTime,
    /// The batch that was open just before it, if one was.
    pub batch: Option<BatchKey>,
}

impl Point {
    /// The start of a log of which nothing is known.
    pub fn start(offset: Offset) -> Self {
        Self { offset, watermark: EventTime::NEVER, log_time: LogTime(i64::MIN), batch: None }
    }
}

/// A watermark that was set from outside (idle partition, drain) rather than by a record; it holds from `at` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decree {
    /// The position at which it was made: before the record with this offset.
    pub at: Offset,
    /// The watermark that it sets, unless the folded one is larger.
    pub watermark: EventTime,
}

/// What is committed with a partition's offset. The commit is the truth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The next record to read; everything that the records before it imply has been acknowledged.
    pub position: Offset,
    /// Where a rebuild starts; at or before `position`.
    pub anchor: Point,
    /// The watermark at `position`.
    pub watermark: EventTime,
    /// The largest event time of a judged-valid record before `position`.
    pub latest: EventTime,
    /// The decrees since the anchor, in order.
    pub decrees: Vec<Decree>,
    /// Records of the last whole batches before `position`, the oldest first; as many as the program's rules ask for.
    pub volumes: Vec<u64>,
    /// Whether the emissions of the last decree still have to be sent (it is committed before its seal).
    pub decree_pending: bool,
    /// What has made the state at `position` besides the log: where reading began, and every decree since.
    pub history: History,
    /// What was gone from the log when it was needed, the oldest first.
    pub losses: Vec<Loss>,
    /// How often the partition has been taken over.
    pub incarnation: u64,
}

/// A digest of where the reading of a partition began and of every decree since. The state at a position is a function of the
/// program, the log and these.
///
/// It is a sum of hashes, so a decree can also be taken out again: at an anchor the decrees behind it have not been made yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct History(pub u64);

impl History {
    /// Reading begins at `offset` with this watermark; no decree yet.
    pub fn start(offset: Offset, watermark: EventTime) -> Self {
        Self(Decree { at: offset, watermark }.hash())
    }

    /// With one more decree.
    #[must_use]
    pub fn with(self, decree: &Decree) -> Self {
        Self(self.0.wrapping_add(decree.hash()))
    }

    /// Without a decree that is in it.
    #[must_use]
    pub fn without(self, decree: &Decree) -> Self {
        Self(self.0.wrapping_sub(decree.hash()))
    }
}

impl Decree {
    fn hash(&self) -> u64 {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[8..].copy_from_slice(&self.watermark.0.to_le_bytes());
        xxh3_64(&bytes)
    }
}

impl Progress {
    /// Nothing read yet; the log starts at `offset`.
    pub fn start(offset: Offset) -> Self {
        Self::join(offset, EventTime::NEVER)
    }

    /// Nothing read yet of a partition that joins with this watermark; the log starts at `offset`.
    pub fn join(offset: Offset, watermark: EventTime) -> Self {
        Self {
            position: offset,
            anchor: Point { watermark, ..Point::start(offset) },
            watermark,
            latest: EventTime::NEVER,
            decrees: Vec::new(),
            volumes: Vec::new(),
            decree_pending: false,
            history: History::start(offset, watermark),
            losses: Vec::new(),
            incarnation: 0,
        }
    }
}
