//! Makes the topic of generated events when it is not there yet.
//!
//! Keeps true: a topic that is there is left as it is; a new one stamps records itself (`LogAppendTime`), as all
//! topics that Sluice makes.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no topic.
#[derive(Debug, thiserror::Error)]
pub enum MakeTopicError {
    /// No client or no runtime to ask with.
    #[error("cannot prepare a request to '{bootstrap}': {reason}")]
    Prepare {
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        reason: String,
    },
    /// No answer.
    #[error("cannot reach Kafka at '{bootstrap}' to make topic '{topic}'")]
    Ask {
        /// The topic.
        topic: String,
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        source: Box<KafkaError>,
    },
    /// The broker said no.
    #[error("Kafka at '{bootstrap}' refused to make topic '{topic}'")]
    Refused {
        /// The topic.
        topic: String,
        /// Bootstrap servers.
        bootstrap: String,
        /// Why.
        source: RDKafkaErrorCode,
    },
}

/// Makes the topic unless it exists. Blocking: call it outside of an asynchronous runtime.
///
/// # Errors
/// The broker cannot be reached or refuses.
pub fn make_topic(bootstrap: &str, topic: &str, partitions: u32) -> Result<(), MakeTopicError> {
    let unprepared = |reason: String| MakeTopicError::Prepare { bootstrap: bootstrap.to_owned(), reason };
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .map_err(|error: KafkaError| unprepared(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unprepared(error.to_string()))?;
    let new = NewTopic::new(topic, partitions.cast_signed(), TopicReplication::Fixed(-1))
        .set("message.timestamp.type", "LogAppendTime");
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let (topic, bootstrap) = (topic.to_owned(), bootstrap.to_owned());
    match runtime.block_on(admin.create_topics([&new], &options)) {
        Err(source) => Err(MakeTopicError::Ask { topic, bootstrap, source: Box::new(source) }),
        Ok(answers) => match answers.into_iter().find_map(Result::err) {
            None | Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
            Some((_, source)) => Err(MakeTopicError::Refused { topic, bootstrap, source }),
        },
    }
}
