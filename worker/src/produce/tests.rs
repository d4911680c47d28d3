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
use crate::source::WhoActs;
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

/// Sends for source partition 0.
fn send(
    producer: &Producer,
    topic: &str,
    partition: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[SentHeader<'_>],
) {
    producer.send(0, Outgoing { topic, partition, key, value, headers }).unwrap();
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
            send(&producer, "t", 0, Some(b"k"), Some(value.as_bytes()), &[("kind", b"x")]);
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
    send(&producer, "source", 0, Some(b""), Some(&value), &[("b", b"\xFE"), ("a", b"1"), ("b", b"")]);
    send(&producer, "source", 0, None, None, &[]);
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
    send(&producer, "t", 0, None, Some(b"before"), &[]);
    producer.flush_acked(WAIT).unwrap();
    cluster.broker_down(1).unwrap();
    send(&producer, "t", 0, None, Some(b"during"), &[]);
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
fn a_refusal_is_remembered_until_its_owner_begins_anew_and_nothing_arrives_behind_it() {
    let cluster = cluster(&["t", "u"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    let to = |owner, topic, value: &[u8]| {
        let value = Some(value);
        producer.send(owner, Outgoing { topic, partition: 0, key: None, value, headers: &[] }).unwrap();
    };
    for code in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    ] {
        cluster.request_errors(RDKafkaApiKey::Produce, &[code]);
        to(1, "t", b"refused");
        for _ in 0..2 {
            producer.flush_acked(WAIT).unwrap();
            let refusal = producer.refusal(1).unwrap();
            assert_eq!((refusal.topic.as_str(), refusal.bytes), ("t", 7), "{refusal:?}");
            assert!(producer.refusal(2).is_none());
            to(1, "t", b"behind the gap");
        }
        producer.begin(1, &["t", "u"], Duration::from_secs(1)).unwrap();
        assert!(producer.refusal(1).is_none());
        to(1, "t", b"again");
        to(2, "t", b"other");
        producer.flush_acked(WAIT).unwrap();
        assert!(producer.refusal(1).is_none() && producer.refusal(2).is_none());
    }
    let mut reader = Reader::of(&cluster, "t");
    for value in [&b"again"[..], b"other", b"again", b"other"] {
        assert_eq!(reader.next().payload(), Some(value));
    }
    assert!(producer.room("t") < 600_000, "a broker that refuses and does not say its limit is tried with half");
}

#[test]
fn a_full_queue_holds_the_sender_back() {
    let cluster = cluster(&["t"]);
    let mut config = client(&cluster);
    config.set("queue.buffering.max.messages", "10");
    let producer = Producer::new(&config).unwrap();
    for number in 0..500 {
        send(&producer, "t", 0, None, Some(&[number as u8]), &[]);
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
    let config = configured(&client, 70_000);
    let given = ["sasl.password", "queue.buffering.max.ms", "acks", "batch.size"].map(|key| config.get(key));
    assert_eq!(given, [Some("secret"), Some("77"), Some("all"), Some("70000")]);
}

#[test]
fn a_letter_that_does_not_fit_says_where_its_record_is_and_how_to_know_it() {
    let cluster = cluster(&["source", "dead"]);
    let producer = Producer::new(&client(&cluster)).unwrap();
    let (key, value, header) = (vec![b'k'; 3_000], vec![b'v'; 9_000], vec![b'h'; 5_000]);
    send(&producer, "source", 0, Some(&key), Some(&value), &[("own", &header)]);
    producer.flush_acked(WAIT).unwrap();
    let mut source = Reader::of(&cluster, "source");
    let record = source.next();
    let words = "w".repeat(5_000);
    let letter = DeadLetter {
        pipeline: "revenue",
        topic: "source",
        partition: 0,
        reason: "Invalid",
        rule: Some("amount"),
        message: &words,
    };
    for (room, cut) in
        [(20_000, None), (15_000, Some("headers")), (9_000, Some("headers,value")), (2_500, Some("headers,value,key"))]
    {
        let (sent_key, sent_value, headers) = letter.of(record, room);
        let headers: Vec<_> = rdkafka::message::Headers::iter(&headers)
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec).unwrap_or_default()))
            .collect();
        let said = |name: &str| {
            let found = headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        };
        let length = headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum::<usize>()
            + sent_key.map_or(0, <[u8]>::len)
            + sent_value.map_or(0, <[u8]>::len);
        assert!(length <= room, "{length} bytes in {room}");
        assert_eq!(said(schemas::letters::CUT).as_deref(), cut);
        assert_eq!(said("own").is_some(), cut.is_none());
        let has = |part: &str| cut.is_none_or(|cut| !cut.split(',').any(|left_out| left_out == part));
        assert_eq!((sent_value.is_some(), sent_key.is_some()), (has("value"), has("key")), "{cut:?}");
        assert_eq!(said("sluice.offset").as_deref(), Some("0"));
        if cut.is_some() {
            assert_eq!(said(schemas::letters::BYTES).as_deref(), Some("9000"));
            assert_eq!(said(schemas::letters::DIGEST), Some(schemas::letters::digest(&value)));
        }
    }
}
