//! The way in: a consumer group member and, per partition, a queue that is read in batches.
//!
//! [`consumer::Consumer`] owns the group membership: rebalances arrive as [`consumer::SourceEvent`]s on a channel, and nothing is
//! read before [`consumer::Consumer::start`] says from which offset. [`batch::PartitionQueue`] then hands out the
//! records of one partition without an allocation per record.

pub mod batch;
