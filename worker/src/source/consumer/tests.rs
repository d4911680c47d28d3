//! Membership against librdkafka's mock cluster: rebalances, explicit starts, commits, a broker that goes away.
#![allow(clippy::unwrap_used)]

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::super::WhoActs;
use super::super::batch::Fetch;
use super::*;

const WAIT: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker with topic `t` of `partitions`, each holding ten records whose value is their offset.
fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", partitions, 1).unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    for partition in 0..partitions {
        (0..10).for_each(|offset| send(&producer, partition, offset));
    }
    producer.flush(WAIT).unwrap();
    cluster
}

fn send(producer: &BaseProducer, partition: i32, offset: i64) {
    let value = offset.to_string();
    let record = BaseRecord::<(), str>::to("t").partition(partition).payload(&value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

fn settings(cluster: &Cluster) -> SourceSettings {
    let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    SourceSettings {
        bootstrap: cluster.bootstrap_servers(),
        topic: "t".to_owned(),
        group: "g".to_owned(),
        properties: vec![
            property("session.timeout.ms", "6000"),
            property("heartbeat.interval.ms", "100"),
            property("fetch.wait.max.ms", "10"),
        ],
        ..SourceSettings::default()
    }
}

/// Waits for an event that `wanted` recognises; others are dropped (a dropped `Done` gives partitions back).
fn wait_for<T>(events: &Receiver<SourceEvent>, mut wanted: impl FnMut(SourceEvent) -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        let event = events.recv_deadline(deadline).expect("the event comes in time");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

fn assigned(event: SourceEvent) -> Option<Vec<i32>> {
    match event {
        SourceEvent::Assigned(partitions) if !partitions.is_empty() => Some(partitions),
        _ => None,
    }
}

fn read(queue: &PartitionQueue, wanted: usize) -> Vec<i64> {
    let deadline = Instant::now() + WAIT;
    let mut fetch = Fetch::with_capacity(100);
    let mut offsets = Vec::new();
    while offsets.len() < wanted {
        assert!(Instant::now() < deadline, "only {offsets:?} came in time");
        queue.read(&mut fetch, Duration::from_millis(20));
        offsets.extend(fetch.records().iter().map(crate::source::batch::Record::offset));
    }
    offsets
}

#[test]
fn a_partition_is_read_from_the_offset_that_is_named() {
    let cluster = cluster(2);
    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    assert_eq!(wait_for(&events, assigned), [0, 1]);
    assert_eq!(consumer.partition_count(WAIT).unwrap(), 2);
    assert_eq!(consumer.watermarks(1, WAIT).unwrap(), Watermarks { low: 0, high: 10 });
    let none = consumer.committed_with_metadata(&[1, 0], WAIT).unwrap();
    assert_eq!(none.iter().map(|c| (c.partition, c.offset)).collect::<Vec<_>>(), [(1, None), (0, None)]);

    let second = consumer.start(1, 7).unwrap();
    assert_eq!(read(&second, 3), [7, 8, 9]);
    let first = consumer.start(0, 0).unwrap();
    assert_eq!(read(&first, 10), (0..10).collect::<Vec<_>>());

    let twice = consumer.start(1, 0).err().unwrap();
    assert_eq!(twice.to_string(), "partition 1 was started before");
    let foreign = consumer.start(2, 0).err().unwrap();
    assert_eq!(foreign.to_string(), "partition 2 is not assigned to this worker");
    assert!(!foreign.retry());
    drop(events);
    consumer.leave();
}

#[test]
fn a_commit_and_its_metadata_are_found_by_the_next_member() {
    let cluster = cluster(1);
    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    wait_for(&events, assigned);
    let metadata = "anchor 3 größe ".repeat(20);
    consumer.commit(0, 5, &metadata, WAIT).unwrap();
    drop(events);
    consumer.leave();

    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    wait_for(&events, assigned);
    let found = consumer.committed_with_metadata(&[0], WAIT).unwrap();
    assert_eq!(found, [Committed { partition: 0, offset: Some(5), metadata }]);
}

#[test]
fn a_commit_is_tried_again_unless_the_partition_is_lost() {
    use RDKafkaRespErr as E;
    let cluster = cluster(1);
    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    wait_for(&events, assigned);
    let transient = [E::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 3];
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &transient);
    consumer.commit(0, 4, "", WAIT).unwrap();

    // Outside a rebalance the client gives its partitions up when it is behind, and joins anew.
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[E::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION; 3]);
    let error = consumer.commit(0, 6, "", WAIT).unwrap_err();
    assert!(matches!(error, SourceError::Own { partition: 0 }) && !error.retry(), "{error}");
    wait_for(&events, |event| matches!(event, SourceEvent::Revoked { lost: true, .. }).then_some(()));
    assert_eq!(wait_for(&events, assigned), [0]);
}

#[test]
fn a_commit_refused_in_a_rebalance_gives_up_only_what_is_revoked() {
    let cluster = cluster(2);
    let (one, one_events) = Consumer::join(&settings(&cluster)).unwrap();
    assert_eq!(wait_for(&one_events, assigned), [0, 1]);
    let (_two, _two_events) = Consumer::join(&settings(&cluster)).unwrap();
    // Not done, so the rebalance lasts.
    let (moving, _done) = wait_for(&one_events, |event| match event {
        SourceEvent::Revoked { partitions, lost: false, done } => Some((partitions[0], done)),
        _ => None,
    });
    let behind = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION; 20];
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &behind);
    let kept = 1 - moving;
    let error = one.commit(kept, 5, "", Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, SourceError::Commit { .. }) && error.retry(), "{error}");
    assert!(error.to_string().starts_with(&format!("offset 5 of partition {kept} could not be committed")), "{error}");
    assert_eq!(one.assigned(), [kept]);
    let error = one.commit(moving, 5, "", WAIT).unwrap_err();
    assert!(matches!(error, SourceError::Own { .. }) && !error.retry(), "{error}");
}

#[test]
fn a_partition_moves_only_when_its_reader_is_done() {
    let cluster = cluster(2);
    let (one, one_events) = Consumer::join(&settings(&cluster)).unwrap();
    assert_eq!(wait_for(&one_events, assigned), [0, 1]);
    let queues = [one.start(0, 0).unwrap(), one.start(1, 0).unwrap()];
    assert_eq!(read(&queues[0], 10).len() + read(&queues[1], 10).len(), 20);

    let (two, two_events) = Consumer::join(&settings(&cluster)).unwrap();
    let (moving, done) = wait_for(&one_events, |event| match event {
        SourceEvent::Revoked { partitions, lost: false, done } => Some((partitions, done)),
        _ => None,
    });
    let [moving] = moving.as_slice() else { panic!("one of two partitions moves: {moving:?}") };
    assert_eq!(one.assigned(), [1 - moving]);
    assert!(matches!(one.start(*moving, 0).err().unwrap(), SourceError::Own { .. }));
    // Nobody else has it yet. (Whether a commit is accepted now is not asked: the mock broker goes on to the next generation
    // without waiting for this member, which a real one does not.)
    assert!(two.assigned().is_empty());
    done.done();

    assert_eq!(wait_for(&two_events, assigned), [*moving]);
    let queue = two.start(*moving, 8).unwrap();
    assert_eq!(read(&queue, 2), [8, 9]);

    // Back again: what was given back can be started anew.
    drop((queue, two_events));
    two.leave();
    assert_eq!(wait_for(&one_events, assigned), [*moving]);
    assert_eq!(read(&one.start(*moving, 9).unwrap(), 1), [9]);
}

/// Reads where nothing is to come, for some of the client's fetches.
fn read_nothing(queues: &[PartitionQueue]) {
    let mut fetch = Fetch::with_capacity(100);
    for queue in queues.iter().cycle().take(40) {
        assert_eq!(queue.read(&mut fetch, Duration::from_millis(10)), 0, "{:?}", fetch.errors());
        assert!(fetch.errors().is_empty(), "{:?}", fetch.errors());
    }
}

#[test]
fn a_record_that_comes_to_the_end_of_the_log_in_a_rebalance_is_read() {
    let cluster = cluster(2);
    let (one, one_events) = Consumer::join(&settings(&cluster)).unwrap();
    assert_eq!(wait_for(&one_events, assigned), [0, 1]);
    let queues = [one.start(0, 0).unwrap(), one.start(1, 0).unwrap()];
    assert_eq!(read(&queues[0], 10).len() + read(&queues[1], 10).len(), 20);
    read_nothing(&queues);
    let (_two, _two_events) = Consumer::join(&settings(&cluster)).unwrap();
    let (moving, done) = wait_for(&one_events, |event| match event {
        SourceEvent::Revoked { partitions, lost: false, done } => Some((partitions[0], done)),
        _ => None,
    });
    let kept = 1 - moving;
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    (10..12).for_each(|offset| send(&producer, kept, offset));
    producer.flush(WAIT).unwrap();
    done.done();
    assert_eq!(read(&queues[kept as usize], 2), [10, 11]);
}

#[test]
fn a_log_that_was_quiet_in_a_rebalance_is_read_on() {
    let cluster = cluster(2);
    let (one, one_events) = Consumer::join(&settings(&cluster)).unwrap();
    assert_eq!(wait_for(&one_events, assigned), [0, 1]);
    let queues = [one.start(0, 0).unwrap(), one.start(1, 0).unwrap()];
    assert_eq!(read(&queues[0], 10).len() + read(&queues[1], 10).len(), 20);
    read_nothing(&queues);
    let (_two, two_events) = Consumer::join(&settings(&cluster)).unwrap();
    let moving = wait_for(&one_events, |event| match event {
        SourceEvent::Revoked { partitions, lost: false, .. } => Some(partitions[0]),
        _ => None,
    });
    assert_eq!(wait_for(&two_events, assigned), [moving]);
    let kept = 1 - moving;
    // Time enough to fetch from a place where nothing is.
    read_nothing(&queues);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    (10..12).for_each(|offset| send(&producer, kept, offset));
    producer.flush(WAIT).unwrap();
    assert_eq!(read(&queues[kept as usize], 2), [10, 11]);
}

#[test]
fn leaving_revokes_first() {
    let cluster = cluster(1);
    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    wait_for(&events, assigned);
    let queue = consumer.start(0, 0).unwrap();
    read(&queue, 1);
    let lane = std::thread::spawn(move || {
        let (partitions, _done) = wait_for(&events, |event| match event {
            SourceEvent::Revoked { partitions, done, .. } => Some((partitions, done)),
            _ => None,
        });
        drop(queue);
        partitions
    });
    consumer.leave();
    assert_eq!(lane.join().unwrap(), [0]);
}

#[test]
fn an_unreachable_broker_is_a_state_with_its_reason_and_ends_when_it_returns() {
    let cluster = cluster(1);
    let (consumer, events) = Consumer::join(&settings(&cluster)).unwrap();
    wait_for(&events, assigned);
    let link = |event| match event {
        SourceEvent::Link(link) => Some(link),
        _ => None,
    };
    assert_eq!(consumer.link(), Link::Up);
    cluster.broker_down(1).unwrap();
    let Link::Unreachable { message, .. } = wait_for(&events, link) else { panic!("the broker is down") };
    assert!(!message.is_empty());
    let error = consumer.watermarks(0, Duration::from_millis(200)).unwrap_err();
    assert_eq!((error.who_acts(), error.retry()), (WhoActs::Environment, true));
    cluster.broker_up(1).unwrap();
    assert_eq!(wait_for(&events, link), Link::Up);
    assert_eq!(consumer.watermarks(0, WAIT).unwrap().high, 10);
}

#[test]
fn a_broker_that_never_was_there_is_named() {
    let nowhere = SourceSettings {
        bootstrap: "127.0.0.1:1".to_owned(),
        topic: "t".to_owned(),
        group: "g".to_owned(),
        ..SourceSettings::default()
    };
    let (consumer, events) = Consumer::join(&nowhere).unwrap();
    let message = wait_for(&events, |event| match event {
        SourceEvent::Link(Link::Unreachable { message, .. }) => Some(message),
        _ => None,
    });
    assert!(message.contains("127.0.0.1:1") && message.contains("refused"), "{message}");
    drop(events);
    consumer.leave();
}

#[test]
fn a_topic_that_does_not_exist_is_the_users_to_fix() {
    let cluster = cluster(1);
    cluster.topic_error("missing", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let settings = SourceSettings { topic: "missing".to_owned(), ..settings(&cluster) };
    let (consumer, _events) = Consumer::join(&settings).unwrap();
    let error = consumer.partition_count(WAIT).unwrap_err();
    assert_eq!(error.to_string(), "topic 'missing' does not exist at the broker");
    assert_eq!(error.who_acts(), WhoActs::User);
}

#[test]
fn a_setting_that_the_client_does_not_know_is_refused() {
    let settings = SourceSettings {
        properties: vec![("no.such.setting".to_owned(), "1".to_owned())],
        ..SourceSettings::default()
    };
    let error = Consumer::join(&settings).err().unwrap();
    assert!(error.to_string().contains("no.such.setting"), "{error}");
    assert_eq!((error.who_acts(), error.retry()), (WhoActs::User, false));
}
