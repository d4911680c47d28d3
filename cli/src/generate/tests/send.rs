//! Sending against the embedded broker: what arrives is the stream, in its order, whatever the client batches.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers as _;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::super::{Generator, Options, SchemaIds, SendError, Target, make_topic, register, send};
use crate::dev::broker::Broker;
use crate::dev::registry::Registry;

const IDS: SchemaIds = SchemaIds { first: 1, second: Some(2) };
const TOPIC: &str = "sales.events.v1";

/// Key, value and whether there is a header, of one record.
type Seen = (Vec<u8>, Option<Vec<u8>>, bool);

fn expected(options: &Options) -> Vec<Vec<Seen>> {
    let mut partitions = vec![Vec::new(); options.partitions as usize];
    let mut generator = Generator::new(options, IDS).unwrap();
    while let Some(event) = generator.next_event() {
        let seen = (event.key.to_vec(), event.value.map(<[u8]>::to_vec), event.header.is_some());
        partitions[event.partition as usize].push(seen);
    }
    partitions
}

fn consumed(bootstrap: &str, partition: i32, count: usize) -> Vec<Seen> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", "reader").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut seen = Vec::new();
    while seen.len() < count && Instant::now() < deadline {
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = message.unwrap();
        let key = message.key().unwrap_or_default().to_vec();
        let marked = message.headers().is_some_and(|headers| headers.get(0).key == "trace");
        seen.push((key, message.payload().map(<[u8]>::to_vec), marked));
    }
    seen
}

fn troubled() -> Options {
    let mut options = Options::new(20_000, 3);
    (options.shape.poison, options.shape.v2) = (0.01, 0.3);
    options
}

#[test]
fn the_topic_holds_the_stream_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path()).unwrap();
    let bootstrap = broker.bootstrap_servers();
    make_topic(&bootstrap, TOPIC, 3).unwrap();
    make_topic(&bootstrap, TOPIC, 3).unwrap();
    let options = troubled();
    let mut reported = 0;
    let truth = send(&options, IDS, &Target::new(&bootstrap, TOPIC), |sent| reported = sent).unwrap();
    assert_eq!((reported, truth.counts().consumed), (20_000, 20_000));
    for (partition, expected) in expected(&options).into_iter().enumerate() {
        assert_eq!(broker.next_offset(TOPIC, partition as i32), Some(expected.len() as i64));
        assert!(consumed(&bootstrap, partition as i32, expected.len()) == expected, "partition {partition} differs");
    }
}

#[test]
fn a_topic_of_another_width_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path()).unwrap();
    let bootstrap = broker.bootstrap_servers();
    make_topic(&bootstrap, TOPIC, 2).unwrap();
    let error = send(&troubled(), IDS, &Target::new(&bootstrap, TOPIC), |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "topic 'sales.events.v1' has 2 partitions but the events are dealt to 3; allowed: the same number"
    );
}

#[test]
fn event_times_ahead_of_the_clock_are_refused() {
    let mut options = Options::new(10, 3);
    options.shape.start = 4_102_444_800_000;
    let error = send(&options, IDS, &Target::new("127.0.0.1:1", TOPIC), |_| ()).unwrap_err();
    assert!(matches!(error, SendError::NotInThePast { .. }), "{error}");
}

#[test]
fn both_versions_register_and_have_ids_of_their_own() {
    let registry = Registry::start().unwrap();
    let ids = register(&registry.url(), TOPIC, true).unwrap();
    assert_ne!(Some(ids.first), ids.second);
    assert_eq!(register(&registry.url(), TOPIC, true).unwrap(), ids);
    assert_eq!(register(&registry.url(), TOPIC, false).unwrap().first, ids.first);
}

#[test]
fn a_registry_that_is_away_is_named() {
    let error = register("http://127.0.0.1:1/", TOPIC, false).unwrap_err();
    let url = "http://127.0.0.1:1/subjects/sales.events.v1-value/versions";
    assert_eq!(error.to_string(), format!("cannot reach the schema registry at '{url}'"));
}
