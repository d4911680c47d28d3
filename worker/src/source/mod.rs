//! The way in: a consumer group member and, per partition, a queue that is read in batches.
//!
//! [`Consumer`] owns the group membership: rebalances arrive as [`SourceEvent`]s on a channel, and nothing is read before
//! [`Consumer::start`] says from which offset. [`batch::PartitionQueue`] then hands out the records of one partition
//! without an allocation per record.

pub mod batch;
mod commit;
mod committed;
mod consumer;
mod error;
mod link;
mod membership;
mod settings;
mod topic_id;

pub use commit::commit_within;
pub use committed::committed_of;
pub use consumer::{Committed, Consumer, Watermarks, close_within};
pub use error::{SourceError, WhoActs, classify};
pub use link::{Link, plain};
pub use membership::{Done, SourceEvent};
pub use settings::{Isolation, SourceSettings};
