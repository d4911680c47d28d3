//! The servers that other tests stand on do what those tests take for granted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::kafka::Kafka;
use tests::registry::Registry;

const PATIENCE: Duration = Duration::from_secs(30);

fn send(kafka: &Kafka, topic: &str, payload: &[u8]) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = kafka.client().set("acks", "all").create()?;
    let record = BaseRecord::<[u8], [u8]>::to(topic).partition(0).payload(payload);
    producer.send(record).map_err(|(error, _)| error)?;
    Ok(producer.flush(PATIENCE)?)
}

fn read(kafka: &Kafka, topic: &str, count: usize) -> Result<Vec<OwnedMessage>> {
    let consumer: BaseConsumer = kafka.client().set("group.id", "reader").create()?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&from)?;
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        ensure!(Instant::now() < deadline, "{} of {count} records came", taken.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            taken.push(message?.detach());
        }
    }
    Ok(taken)
}

#[test]
#[ignore = "needs servers: make test"]
fn kafka_keeps_its_records_through_a_kill() -> Result<()> {
    let mut kafka = Kafka::start()?;
    kafka.create_topic("t", 2, &[("message.timestamp.type", "LogAppendTime")])?;
    assert!(kafka.create_topic("t", 2, &[]).is_err(), "it is there already");
    send(&kafka, "t", b"before")?;
    kafka.kill()?;
    kafka.restart()?;
    send(&kafka, "t", b"after")?;
    let records = read(&kafka, "t", 2)?;
    let payloads: Vec<_> = records.iter().map(Message::payload).collect();
    assert_eq!(payloads, [Some(&b"before"[..]), Some(&b"after"[..])]);
    Ok(())
}

#[test]
#[ignore = "needs servers: make test"]
fn the_registry_enforces_compatibility_and_keeps_its_schemas_through_a_kill() -> Result<()> {
    let record = |fields: &str| format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
    let first = record(r#"{"name": "a", "type": "string"}"#);
    let mut registry = Registry::start()?;
    let id = registry.register("t-value", &first)?;
    assert_eq!(registry.register("t-value", &first)?, id);
    let refusal = registry.register("t-value", &record(r#"{"name": "b", "type": "string"}"#));
    let refusal = refusal.err().context("an incompatible schema is refused")?.to_string();
    assert!(refusal.contains("409"), "{refusal}");
    registry.kill()?;
    assert!(registry.register("t-value", &first).is_err());
    registry.restart()?;
    assert_eq!(registry.register("t-value", &first)?, id);
    Ok(())
}

#[tokio::test]
#[ignore = "needs servers: make test"]
async fn servers_can_be_started_inside_a_runtime() -> Result<()> {
    let kafka = Kafka::start()?;
    kafka.create_topic("t", 1, &[])?;
    let registry = Registry::start()?;
    registry.register("t-value", r#""string""#)?;
    Ok(())
}
