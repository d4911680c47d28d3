//! The seam of publish: everything that completing and writing windows does to the world.
//!
//! [`super::Publishing`] decides when each effect happens and in which order; it runs on one thread and knows Kafka and the store
//! by these traits alone. The caller reads the partials topic and hands over each message in the order of its partition.
//!
//! What the callers rely on: a file is visible whole or not at all and on the disk when [`Files::create`] returns; an error
//! of either trait may go away by itself and is tried again until the worker's stop is requested.

use rdkafka::error::KafkaError;
use stream_core::Offset;

use super::store::{Store, StoreError, Written};

/// Where tables are written.
pub trait Files: Send {
    /// Writes `bytes` at `path` (relative, `/` between folders) unless a file is there.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError>;

    /// The bytes of a file; nothing when it is not there.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The names in a folder; none when it does not exist.
    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError>;
}

impl Files for Store {
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        self.create(path, bytes)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(path)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.names(folder)
    }
}

/// The commits of the publish group, and the beginning of the partials topic.
pub trait Commits: Send {
    /// Position and metadata committed for each of these partitions, in their order.
    fn committed(&self, outputs: &[i32]) -> Result<Vec<Option<(Offset, String)>>, KafkaError>;

    /// The first offset that a partition still holds.
    fn low(&self, output: i32) -> Result<Offset, KafkaError>;

    /// Commits position and metadata of some partitions.
    fn commit(&self, reached: &[(i32, Offset, String)]) -> Result<(), KafkaError>;
}
