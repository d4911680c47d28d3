//! One way to one Kafka cluster: how its clients are configured, what they said last, and what a failure means.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, TopicResult};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::super::{BrokerError, KafkaAccess, TopicState};

const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Pauses between questions to a cluster that does not answer.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

pub(super) fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_WAIT)).operation_timeout(Some(ANSWER_WAIT))
}

/// What librdkafka says in its own threads, which tells why a question stays without answer.
#[derive(Default)]
pub(super) struct LastWords {
    words: Mutex<Option<Words>>,
}

#[derive(Clone)]
struct Words {
    text: String,
    authentication: bool,
}

impl LastWords {
    fn lock(&self) -> MutexGuard<'_, Option<Words>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, text: &str) {
        let authentication = is_authentication(text);
        let mut words = self.lock();
        // A refusal says more than the broken connections that come of it.
        if authentication || !words.as_ref().is_some_and(|heard| heard.authentication) {
            *words = Some(Words { text: plain(text), authentication });
        }
    }
}

fn is_authentication(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("authentication") || text.contains("sasl handshake failed") || text.contains("unsupported sasl")
}

/// librdkafka's words without the names of its threads and its notes on timing.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches(|c| c != ']').strip_prefix("]: ").unwrap_or(text);
    let end = text.find(" (after ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Shared by the clients of one cluster.
#[derive(Clone, Default)]
pub(super) struct Context(Arc<LastWords>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            self.0.hear(message);
        }
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            self.0.hear(reason);
        }
    }
}

impl ConsumerContext for Context {}

/// The clients of one cluster: a consumer looks topics up, because a producer's look may create them.
pub(super) struct Client {
    pub(super) admin: AdminClient<Context>,
    looker: Arc<BaseConsumer<Context>>,
    context: Context,
    bootstrap: String,
    away: Mutex<Option<Away>>,
}

struct Away {
    until: Instant,
    pause: Duration,
    why: BrokerError,
}

impl Client {
    pub(super) fn new(access: &KafkaAccess) -> Result<Self, BrokerError> {
        let mut config = ClientConfig::new();
        for (key, value) in &access.properties {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &access.bootstrap).set("client.id", "sluice-operator");
        // The list of all topics of a large cluster fits; a stranger's endless answer does not.
        config.set("receive.message.max.bytes", "16777216").set("fetch.max.bytes", "1048576");
        config.set("reconnect.backoff.max.ms", "2000").set("socket.timeout.ms", "5000");
        // The administrator's client is no consumer, but must not warn about a consumer's properties either.
        config.set_log_level(RDKafkaLogLevel::Info);
        let context = Context::default();
        let refuse = |error: KafkaError| BrokerError::Refuse {
            deed: "be reached with these properties".to_owned(),
            message: error.to_string(),
        };
        let admin = config.create_with_context(context.clone()).map_err(refuse)?;
        config.set("allow.auto.create.topics", "false").set("group.id", "sluice-operator");
        let looker = Arc::new(config.create_with_context(context.clone()).map_err(refuse)?);
        Ok(Self { admin, looker, context, bootstrap: access.bootstrap.clone(), away: Mutex::default() })
    }

    /// Partitions and copies of the topics; also finds out whether the cluster answers.
    pub(super) async fn partitions(&self, names: &[String]) -> Result<Vec<Option<TopicState>>, BrokerError> {
        self.is_away(Instant::now())?;
        let (looker, names) = (self.looker.clone(), names.to_vec());
        let look = move || {
            let found = names.iter().map(|name| look_up(&looker, name)).collect::<KafkaResult<Vec<_>>>();
            // Serves the client's errors to the context.
            let _ = looker.poll(Duration::ZERO);
            found
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(found)) => {
                *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
                *self.context.0.lock() = None;
                Ok(found)
            }
            Ok(Err(error)) => Err(self.went_away(&error, Instant::now())),
            Err(panic) => Err(self.reach(panic.to_string())),
        }
    }

    fn is_away(&self, now: Instant) -> Result<(), BrokerError> {
        match &*self.away.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(away) if now < away.until => Err(away.why.clone()),
            _ => Ok(()),
        }
    }

    fn went_away(&self, error: &KafkaError, now: Instant) -> BrokerError {
        let why = self.explain(error);
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = away.as_ref().map_or(PAUSE.0, |last| (last.pause * 2).min(PAUSE.1));
        *away = Some(Away { until: now + pause, pause, why: why.clone() });
        why
    }

    fn explain(&self, error: &KafkaError) -> BrokerError {
        let bootstrap = self.bootstrap.clone();
        if error.rdkafka_error_code() == Some(Code::TopicAuthorizationFailed) {
            return BrokerError::Authorize { deed: "describe topics".to_owned(), message: error.to_string() };
        }
        match self.context.0.lock().clone() {
            Some(Words { text: message, authentication: true }) => BrokerError::Authenticate { bootstrap, message },
            Some(Words { text: message, .. }) => BrokerError::Reach { bootstrap, message },
            None => self.reach(error.to_string()),
        }
    }

    fn reach(&self, message: String) -> BrokerError {
        BrokerError::Reach { bootstrap: self.bootstrap.clone(), message }
    }

    /// What the answer to a deed on one topic means.
    pub(super) fn judge(
        &self,
        deed: &str,
        answer: KafkaResult<Vec<TopicResult>>,
        is_done: impl Fn(Code) -> bool,
    ) -> Result<(), BrokerError> {
        let results = answer.map_err(|error| self.explain(&error))?;
        let Some(Err((_, code))) = results.into_iter().next() else { return Ok(()) };
        let (deed, message) = (deed.to_owned(), code.to_string());
        match code {
            code if is_done(code) => Ok(()),
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Err(BrokerError::Authorize { deed, message })
            }
            Code::OperationTimedOut | Code::RequestTimedOut | Code::BrokerTransportFailure | Code::NotController => {
                Err(self.reach(message))
            }
            _ => Err(BrokerError::Refuse { deed, message }),
        }
    }
}

fn look_up(looker: &BaseConsumer<Context>, name: &str) -> KafkaResult<Option<TopicState>> {
    let metadata = looker.fetch_metadata(Some(name), ANSWER_WAIT)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
    match topic.error().map(Code::from) {
        // Just created: its partitions have no leaders yet.
        None | Some(Code::LeaderNotAvailable) if !topic.partitions().is_empty() => Ok(Some(TopicState {
            partitions: topic.partitions().len() as u32,
            replication_factor: topic.partitions()[0].replicas().len() as u16,
            config: None,
        })),
        None | Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_outlives_the_broken_connections_that_come_of_it() {
        let heard = LastWords::default();
        heard.hear("[thrd:sasl_plaintext://127.0.0.1:9/bootstrap]: sasl_plaintext://127.0.0.1:9/bootstrap: SASL authentication error: Authentication failed (after 3ms in state AUTH_REQ)");
        heard.hear("[thrd:a]: a: Connect to ipv4#127.0.0.1:9 failed: Connection refused");
        let words = heard.lock().clone().expect("something was heard");
        assert!(words.authentication);
        assert_eq!(
            words.text,
            "sasl_plaintext://127.0.0.1:9/bootstrap: SASL authentication error: Authentication failed"
        );
    }

    #[tokio::test]
    async fn a_cluster_that_is_away_is_not_asked_at_once_again() {
        let access = KafkaAccess { bootstrap: "127.0.0.1:1".to_owned(), properties: Vec::new() };
        let client = Client::new(&access).expect("plain properties are accepted");
        let names = ["a".to_owned()];
        let first = client.partitions(&names).await.expect_err("nobody listens there");
        assert!(matches!(&first, BrokerError::Reach { message, .. } if message.contains("refused")), "{first}");
        let asked = Instant::now();
        assert_eq!(client.partitions(&names).await.expect_err("still away"), first);
        assert!(asked.elapsed() < Duration::from_millis(500));
    }

    #[test]
    fn properties_that_librdkafka_does_not_know_are_the_users_to_correct() {
        let properties = vec![("no.such.thing".to_owned(), "1".to_owned())];
        let refused = Client::new(&KafkaAccess { bootstrap: "127.0.0.1:1".to_owned(), properties });
        assert!(matches!(refused.err(), Some(BrokerError::Refuse { .. })));
    }
}
