//! The batch call against librdkafka's mock cluster.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::Offset;

use super::*;

const WAIT: Duration = Duration::from_secs(20);

fn broker(topic: &str) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, 1, 1).unwrap();
    cluster
}

fn produce(cluster: &MockCluster<'_, DefaultProducerContext>, records: &[BaseRecord<'_, [u8], [u8]>]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for record in records {
        let mut copy = BaseRecord::to(record.topic).partition(0).timestamp(1_700_000_000_000);
        copy.key = record.key;
        copy.payload = record.payload;
        copy.headers.clone_from(&record.headers);
        producer.send(copy).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(WAIT).unwrap();
}

fn consumer(cluster: &MockCluster<'_, DefaultProducerContext>) -> Arc<BaseConsumer> {
    Arc::new(
        ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "batch")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap(),
    )
}

fn assign(consumer: &BaseConsumer, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    consumer.assign(&list).unwrap();
}

/// Reads until `enough` says so, or fails after the deadline. Also serves the consumer's own queue, which must stay empty.
fn read_until(
    consumer: &BaseConsumer,
    queue: &PartitionQueue,
    fetch: &mut Fetch,
    mut enough: impl FnMut(&Fetch) -> bool,
) {
    let deadline = Instant::now() + WAIT;
    while Instant::now() < deadline {
        assert!(consumer.poll(Duration::ZERO).is_none_or(|polled| polled.is_err()));
        queue.read(fetch, Duration::from_millis(50));
        if enough(fetch) {
            return;
        }
    }
    panic!("not seen in time; last errors {:?}", fetch.errors());
}

#[test]
fn records_come_with_every_byte_and_nulls_stay_null() {
    let cluster = broker("bytes");
    let headers = OwnedHeaders::new()
        .insert(Header { key: "a", value: Some(&b"1"[..]) })
        .insert(Header { key: "none", value: None::<&[u8]> })
        .insert(Header { key: "a", value: Some(&b""[..]) });
    let mut full = BaseRecord::to("bytes").payload(&b"\x00\x01value"[..]).key(&b"key"[..]);
    full = full.headers(headers);
    let empty = BaseRecord::to("bytes").payload(&b""[..]).key(&b""[..]);
    let null: BaseRecord<'_, [u8], [u8]> = BaseRecord::to("bytes");
    produce(&cluster, &[full, empty, null]);

    let consumer = consumer(&cluster);
    let queue = PartitionQueue::split(&consumer, "bytes", 0).unwrap();
    assign(&consumer, "bytes", 0);
    let mut fetch = Fetch::with_capacity(8);
    let mut seen = 0;
    read_until(&consumer, &queue, &mut fetch, |fetch| {
        for record in fetch.records() {
            assert_eq!(record.offset(), seen);
            assert_eq!(record.partition(), 0);
            let headers: Vec<_> = record.headers().collect();
            match seen {
                0 => {
                    assert_eq!(record.payload(), Some(&b"\x00\x01value"[..]));
                    assert_eq!(record.key(), Some(&b"key"[..]));
                    let a = &b"a"[..];
                    let expected: [(&[u8], Option<&[u8]>); 3] = [(a, Some(b"1")), (b"none", None), (a, Some(b""))];
                    assert_eq!(headers, expected);
                    assert_eq!(record.last_header(c"a"), Some(&b""[..]));
                    assert_eq!(record.last_header(c"none"), None);
                    assert_eq!(record.last_header(c"other"), None);
                }
                1 => assert_eq!((record.key(), record.payload()), (Some(&b""[..]), Some(&b""[..]))),
                _ => assert_eq!((record.key(), record.payload()), (None, None)),
            }
            if seen > 0 {
                assert!(headers.is_empty());
            }
            let timestamp = record.timestamp();
            assert_eq!(timestamp.ms, 1_700_000_000_000);
            assert_eq!(timestamp.kind, TimestampKind::Create);
            seen += 1;
        }
        seen == 3
    });
}

#[test]
fn a_fetch_never_exceeds_its_capacity_and_is_reused() {
    let cluster = broker("many");
    let values: Vec<String> = (0..1000).map(|i| format!("value {i}")).collect();
    let records: Vec<BaseRecord<'_, [u8], [u8]>> =
        values.iter().map(|v| BaseRecord::to("many").payload(v.as_bytes())).collect();
    produce(&cluster, &records);

    let consumer = consumer(&cluster);
    let queue = PartitionQueue::split(&consumer, "many", 0).unwrap();
    assign(&consumer, "many", 100);
    let mut fetch = Fetch::with_capacity(7);
    let mut next = 100;
    read_until(&consumer, &queue, &mut fetch, |fetch| {
        assert!(fetch.records().len() <= 7);
        for record in fetch.records() {
            assert_eq!(record.offset(), next);
            assert_eq!(record.payload(), Some(format!("value {next}").as_bytes()));
            next += 1;
        }
        next == 1000
    });
}

#[test]
fn the_end_and_a_missing_offset_are_errors_beside_the_records() {
    let cluster = broker("ends");
    produce(&cluster, &[BaseRecord::to("ends").payload(&b"only"[..])]);
    let consumer = consumer(&cluster);
    let queue = PartitionQueue::split(&consumer, "ends", 0).unwrap();
    assign(&consumer, "ends", 0);
    let mut fetch = Fetch::with_capacity(100);
    let end = FetchError::PartitionEnd { partition: 0, offset: 1 };
    let mut records = 0;
    read_until(&consumer, &queue, &mut fetch, |fetch| {
        records += fetch.records().len();
        fetch.errors().contains(&end)
    });
    assert_eq!(records, 1);

    assign(&consumer, "ends", 77);
    read_until(&consumer, &queue, &mut fetch, |fetch| {
        assert!(fetch.records().is_empty());
        fetch.errors().iter().any(|error| matches!(error, FetchError::OffsetGone { .. }))
    });
}

#[test]
fn messages_outlive_their_queue_and_consumer_handle() {
    let cluster = broker("late");
    produce(&cluster, &[BaseRecord::to("late").payload(&b"kept"[..])]);
    let consumer = consumer(&cluster);
    let queue = PartitionQueue::split(&consumer, "late", 0).unwrap();
    assign(&consumer, "late", 0);
    let mut fetch = Fetch::with_capacity(1);
    read_until(&consumer, &queue, &mut fetch, |fetch| !fetch.records().is_empty());
    drop(queue);
    drop(consumer);
    let fetch = std::thread::spawn(move || fetch).join().unwrap();
    assert_eq!(fetch.records()[0].payload(), Some(&b"kept"[..]));
}

#[test]
fn a_topic_name_with_a_zero_byte_is_refused() {
    let cluster = broker("x");
    let error = PartitionQueue::split(&consumer(&cluster), "a\0b", 0).err().unwrap();
    assert!(error.to_string().contains("zero byte"));
}
