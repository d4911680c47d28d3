//! Owns the count of what is on its way: which epoch each record belongs to, and the first record that was lost.
//!
//! An epoch is what was sent between two flushes. A flush ends the present epoch and waits until it and all earlier ones are
//! empty, so records that other threads send meanwhile do not hold it up.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use super::ProduceError;

/// Longest wait for room before a full queue is tried again.
const MOMENT: Duration = Duration::from_millis(10);

/// Told by the client of each record's fate.
#[derive(Default)]
pub(super) struct Deliveries {
    ledger: Mutex<Ledger>,
    moved: Condvar,
}

#[derive(Default)]
struct Ledger {
    epoch: usize,
    /// Records on their way, by epoch; no entry is zero.
    open: BTreeMap<usize, usize>,
    lost: Option<(String, KafkaError)>,
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

    /// Ends the epoch and waits until it and all before it are settled.
    pub(super) fn settle(&self, wait: Duration) -> Result<(), ProduceError> {
        let begun = Instant::now();
        let mut ledger = self.ledger();
        let last = ledger.epoch;
        ledger.epoch += 1;
        let pending = |ledger: &mut Ledger| ledger.lost.is_none() && ledger.open.range(..=last).next().is_some();
        let (ledger, _) = self.moved.wait_timeout_while(ledger, wait, pending).unwrap_or_else(PoisonError::into_inner);
        if let Some((topic, source)) = &ledger.lost {
            return Err(ProduceError::Deliver { topic: topic.clone(), source: source.clone() });
        }
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
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, epoch: usize) {
        let mut ledger = self.ledger();
        match result {
            Ok(_) => ledger.last_words.clear(),
            Err((error, message)) if ledger.lost.is_none() => {
                ledger.lost = Some((message.topic().to_owned(), error.clone()));
            }
            Err(_) => {}
        }
        ledger.close(epoch);
        drop(ledger);
        self.moved.notify_all();
    }
}
