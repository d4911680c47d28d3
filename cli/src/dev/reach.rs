//! Waiting for servers that are not ours: what is waited for is told once, and the wait ends.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};
use worker::registry::innermost;
use worker::source::plain;

/// How long one question waits for its answer.
const ASK: Duration = Duration::from_secs(1);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until a broker answers, at most for `wait`.
///
/// # Errors
/// None does: the client's last words.
pub fn broker(bootstrap: &str, client: &ClientConfig, wait: Duration) -> Result<(), String> {
    // A producer, because it needs no group; nothing is sent with it.
    let asker: BaseProducer<LastWords> =
        client.create_with_context(LastWords::default()).map_err(|error| error.to_string())?;
    let ask = || {
        let Err(error) = asker.client().fetch_metadata(None, ASK) else { return Ok(()) };
        // The words may come a moment after the answer.
        let listened = Instant::now();
        while asker.context().get().is_none() && listened.elapsed() < PAUSE {
            asker.poll(Duration::from_millis(10));
        }
        Err(asker.context().get().unwrap_or_else(|| error.to_string()))
    };
    until(&format!("the broker at '{bootstrap}'"), wait, ask)
}

/// Waits until something at the registry's address answers, at most for `wait`; it is shown as `shown`.
///
/// # Errors
/// Nothing does: why the last question failed.
pub fn registry(url: &str, shown: &str, wait: Duration) -> Result<(), String> {
    let client = reqwest::blocking::Client::builder().timeout(ASK).build();
    let client = client.map_err(|error| innermost(&error))?;
    let ask = || client.get(format!("{url}/subjects")).send().map(drop).map_err(|error| innermost(&error));
    until(&format!("the schema registry at '{shown}'"), wait, ask)
}

/// Asks until there is an answer; the last error after `wait`.
fn until(whom: &str, wait: Duration, ask: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let deadline = Instant::now() + wait;
    let mut told = false;
    while let Err(message) = ask() {
        if !told {
            eprintln!("waiting for {whom}, at most {} s: {message}", wait.as_secs());
            told = true;
        }
        if Instant::now() >= deadline {
            return Err(message);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Keeps what the client said last of its connections.
#[derive(Default)]
struct LastWords(Mutex<Option<String>>);

impl LastWords {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for LastWords {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down says less than why.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(plain(reason).to_owned());
        }
    }
}

impl ProducerContext for LastWords {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
