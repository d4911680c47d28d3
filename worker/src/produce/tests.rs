//! Sending against librdkafka's mock cluster: acknowledged means there, lost is never forgotten, dead letters are byte for byte.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::source::batch::{Fetch, PartitionQueue};

const WAIT: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(topics: &[&str]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for topic in topics {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    cluster
}

fn client(cluster: &Cluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers());
    config
}

/// A reader of partition 0 from its beginning.
struct Reader {
    _consumer: Arc<BaseConsumer>,
    queue: PartitionQueue,
    fetch: Fetch,
}

impl Reader {
    fn of(cluster: &Cluster, topic: &str) -> Self {
        let mut config = client(cluster);
        config.set("group.id", "reader").set("fetch.wait.max.ms", "10");
        let consumer: Arc<BaseConsumer> = Arc::new(config.create().unwrap());
        let queue = PartitionQueue::split(&consumer, topic, 0).unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
        consumer.assign(&list).unwrap();
        Self { _consumer: consumer, queue, fetch: Fetch::with_capacity(1) }
    }

    fn next(&mut self) -> &Record {
        let deadline = Instant::now() + WAIT;
        while self.queue.read(&mut self.fetch, Duration::from_millis(50)) == 0 {
            assert!(Instant::now() < deadline, "nothing to read in time");
        }
        &self.fetch.records()[0]
    }
}

#[test]
fn acknowledged_records_are_there_in_order() {
    let cluster = cluster(&["t"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        for number in 0..200 {
            let value = format!("{round}-{number}");
            producer.send("t", 0, Some(b"k"), Some(value.as_bytes()), &[("kind", b"x")]).unwrap();
            expected.push(value);
        }
        producer.flush_acked(WAIT).unwrap();
        assert_eq!(producer.in_flight(), 0);
    }
    let mut reader = Reader::of(&cluster, "t");
    for value in expected {
        let record = reader.next();
        assert_eq!((record.key(), record.payload()), (Some(&b"k"[..]), Some(value.as_bytes())));
        assert_eq!(record.last_header(c"kind"), Some(&b"x"[..]));
    }
}

#[test]
fn a_dead_letter_is_the_record_byte_for_byte_and_its_reasons() {
    let cluster = cluster(&["source", "dead"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    let value = [0xFF, 0, 0x80];
    producer.send("source", 0, Some(b""), Some(&value), &[("b", b"\xFE"), ("a", b"1"), ("b", b"")]).unwrap();
    producer.send("source", 0, None, None, &[]).unwrap();
    producer.flush_acked(WAIT).unwrap();

    let mut source = Reader::of(&cluster, "source");
    let letter = DeadLetter {
        pipeline: "revenue",
        topic: "source",
        partition: 0,
        reason: "Invalid",
        rule: Some("amount"),
        message: "too small",
    };
    producer.send_dead_letter("dead", source.next(), &letter).unwrap();
    let null = DeadLetter { reason: "Undecodable", rule: None, ..letter };
    producer.send_dead_letter("dead", source.next(), &null).unwrap();
    producer.flush_acked(WAIT).unwrap();

    let mut dead = Reader::of(&cluster, "dead");
    let first = dead.next();
    assert_eq!((first.key(), first.payload()), (Some(&b""[..]), Some(&value[..])));
    let header = |name: &'static str, value: &'static [u8]| (name.as_bytes(), Some(value));
    let expected = [
        header("b", b"\xFE"),
        header("a", b"1"),
        header("b", b""),
        header("sluice.pipeline", b"revenue"),
        header("sluice.topic", b"source"),
        header("sluice.partition", b"0"),
        header("sluice.offset", b"0"),
        header("sluice.reason", b"Invalid"),
        header("sluice.rule", b"amount"),
        header("sluice.message", b"too small"),
    ];
    assert_eq!(first.headers().collect::<Vec<_>>(), expected);
    let second = dead.next();
    assert_eq!((second.key(), second.payload()), (None, None));
    assert_eq!(second.last_header(c"sluice.offset"), Some(&b"1"[..]));
    assert_eq!(second.last_header(c"sluice.rule"), None);
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_nothing_is_lost() {
    let cluster = cluster(&["t"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    producer.send("t", 0, None, Some(b"before"), &[]).unwrap();
    producer.flush_acked(WAIT).unwrap();
    cluster.broker_down(1).unwrap();
    producer.send("t", 0, None, Some(b"during"), &[]).unwrap();
    let error = producer.flush_acked(Duration::from_secs(2)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("1 records are not acknowledged after 2"), "{text}");
    assert!(text.contains("ms: 127.0.0.1:"), "the client's words are told: {text}");
    assert_eq!((error.who_acts(), error.retry()), (WhoActs::Environment, true));
    cluster.broker_up(1).unwrap();
    producer.flush_acked(WAIT).unwrap();
    let mut reader = Reader::of(&cluster, "t");
    assert_eq!(reader.next().payload(), Some(&b"before"[..]));
    assert_eq!(reader.next().payload(), Some(&b"during"[..]));
}

#[test]
fn a_refused_record_fails_every_flush_from_then_on() {
    let cluster = cluster(&["t"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    producer.send("t", 0, None, Some(b"refused"), &[]).unwrap();
    for _ in 0..2 {
        let error = producer.flush_acked(WAIT).unwrap_err();
        assert!(matches!(&error, ProduceError::Deliver { topic, .. } if topic == "t"), "{error}");
        assert_eq!((error.who_acts(), error.retry()), (WhoActs::User, false));
    }
}

#[test]
fn a_full_queue_holds_the_sender_back() {
    let cluster = cluster(&["t"]);
    let mut config = client(&cluster);
    config.set("queue.buffering.max.messages", "10");
    let producer = Producer::new(&config).unwrap();
    for number in 0..500 {
        producer.send("t", 0, None, Some(&[number as u8]), &[]).unwrap();
        assert!(producer.in_flight() <= 11);
    }
    producer.flush_acked(WAIT).unwrap();
}

#[test]
fn a_flush_waits_for_what_was_sent_before_it_alone() {
    let deliveries = Deliveries::default();
    let early = deliveries.begin();
    assert!(matches!(deliveries.settle(Duration::ZERO).unwrap_err(), ProduceError::AwaitAcks { in_flight: 1, .. }));
    let late = deliveries.begin();
    assert_ne!(early, late);
    deliveries.cancel(early);
    // `late` belongs to the epoch that this flush ends, so it is waited for; what comes after is not.
    assert!(deliveries.settle(Duration::ZERO).is_err());
    let after = deliveries.begin();
    deliveries.cancel(late);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| deliveries.settle(WAIT));
        deliveries.cancel(after);
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(deliveries.in_flight(), 0);
}

#[test]
fn a_setting_that_the_client_does_not_know_is_refused() {
    let mut config = ClientConfig::new();
    config.set("no.such.setting", "1");
    let error = Producer::new(&config).err().unwrap();
    assert!(error.to_string().contains("no.such.setting"), "{error}");
}

#[test]
fn the_producer_has_the_client_s_properties_and_passwords_among_them() {
    let mut client = ClientConfig::new();
    client.set("sasl.password", "secret").set("queue.buffering.max.ms", "77").set("acks", "0");
    let config = configured(&client);
    let given = ["sasl.password", "queue.buffering.max.ms", "acks"].map(|key| config.get(key));
    assert_eq!(given, [Some("secret"), Some("77"), Some("all")]);
}
