//! Owns the count of what is on its way: which epoch each record belongs to, and of which owner a record was refused.
//!
//! An epoch is what was sent between two flushes. A flush ends the present epoch and waits until it and all earlier ones are
//! empty, so records that other threads send meanwhile do not hold it up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use super::ProduceError;

/// Longest wait for room before a full queue is tried again.
const MOMENT: Duration = Duration::from_millis(10);

/// A record that was refused: it will not arrive.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The topic.
    pub topic: String,
    /// Bytes of its key and value.
    pub bytes: usize,
    /// The broker's or client's error.
    pub source: KafkaError,
}

impl Refusal {
    /// Whether it was too large.
    pub fn is_size(&self) -> bool {
        self.source.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }
}

/// The first refusal of each owner, until it begins anew.
#[derive(Default)]
pub(super) struct Refusals(Mutex<BTreeMap<i32, Refusal>>);

impl Refusals {
    fn all(&self) -> MutexGuard<'_, BTreeMap<i32, Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, owner: i32) -> Option<Refusal> {
        self.all().get(&owner).cloned()
    }

    pub(super) fn forget(&self, owner: i32) {
        self.all().remove(&owner);
    }
}

/// A record on its way.
pub(super) struct Sent {
    pub(super) epoch: usize,
    /// The source partition that it was sent for.
    pub(super) owner: i32,
}

/// Told by the client of each record's fate.
#[derive(Default)]
pub(super) struct Deliveries {
    ledger: Mutex<Ledger>,
    moved: Condvar,
    refusals: Arc<Refusals>,
}

#[derive(Default)]
struct Ledger {
    epoch: usize,
    /// Records on their way, by epoch; no entry is zero.
    open: BTreeMap<usize, usize>,
    /// Something was refused: nothing is sent with this client any more.
    broken: bool,
    /// The topics that refused something for its size.
    doubted: BTreeSet<String>,
    /// What the client said of its connections since the last acknowledgement.
    last_words: String,
}

impl Ledger {
    fn close(&mut self, epoch: usize) {
        if let Some(count) = self.open.get_mut(&epoch) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&epoch);
            }
        }
    }
}

impl Deliveries {
    pub(super) fn new(refusals: Arc<Refusals>) -> Self {
        Self { refusals, ..Self::default() }
    }

    /// Whether something was refused.
    pub(super) fn is_broken(&self) -> bool {
        self.ledger().broken
    }

    /// The topics that refused something for its size.
    pub(super) fn doubted(&self) -> BTreeSet<String> {
        self.ledger().doubted.clone()
    }

    /// A record of `owner` will not arrive.
    pub(super) fn refuse(&self, owner: i32, refusal: Refusal) {
        let mut ledger = self.ledger();
        ledger.broken = true;
        if refusal.is_size() {
            ledger.doubted.insert(refusal.topic.clone());
        }
        let mut refusals = self.refusals.all();
        // What was refused for itself says more than what was given up with it.
        let known = refusals.get(&owner).is_some_and(|known| known.is_size() || !refusal.is_size());
        if !known {
            refusals.insert(owner, refusal);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a record that is about to be sent; returns its epoch.
    pub(super) fn begin(&self) -> usize {
        let mut ledger = self.ledger();
        let epoch = ledger.epoch;
        *ledger.open.entry(epoch).or_default() += 1;
        epoch
    }

    /// The record was not sent after all.
    pub(super) fn cancel(&self, epoch: usize) {
        self.ledger().close(epoch);
        self.moved.notify_all();
    }

    pub(super) fn in_flight(&self) -> usize {
        self.ledger().open.values().sum()
    }

    /// Waits for some record to be settled, or a moment: the client frees a record's room only after it told us.
    pub(super) fn wait_a_moment(&self) {
        drop(self.moved.wait_timeout(self.ledger(), MOMENT).unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends the epoch and waits until each record of it and of all before it has arrived or is refused.
    pub(super) fn settle(&self, wait: Duration) -> Result<(), ProduceError> {
        let begun = Instant::now();
        let mut ledger = self.ledger();
        let last = ledger.epoch;
        ledger.epoch += 1;
        let pending = |ledger: &mut Ledger| ledger.open.range(..=last).next().is_some();
        let (ledger, _) = self.moved.wait_timeout_while(ledger, wait, pending).unwrap_or_else(PoisonError::into_inner);
        match ledger.open.range(..=last).map(|(_, count)| count).sum() {
            0 => Ok(()),
            in_flight => {
                let last_words = ledger.last_words.clone();
                Err(ProduceError::AwaitAcks { in_flight, waited: begun.elapsed(), last_words })
            }
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "kafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, reason);
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            reason.clone_into(&mut self.ledger().last_words);
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        match result {
            Ok(_) => self.ledger().last_words.clear(),
            Err((error, message)) => {
                let bytes = message.key().map_or(0, <[u8]>::len) + message.payload_len();
                let refusal = Refusal { topic: message.topic().to_owned(), bytes, source: error.clone() };
                self.refuse(sent.owner, refusal);
            }
        }
        self.ledger().close(sent.epoch);
        self.moved.notify_all();
    }
}
