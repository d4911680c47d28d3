//! The broker as librdkafka sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use super::{Broker, BrokerError, TimestampType};

const PATIENCE: Duration = Duration::from_secs(30);

type Sender = ThreadedProducer<DefaultProducerContext>;

fn broker_with(topic: &str, partitions: i32, timestamps: TimestampType) -> Result<Broker> {
    let broker = Broker::start(&std::env::temp_dir())?;
    broker.create_topic(topic, partitions, timestamps)?;
    Ok(broker)
}

fn client(broker: &Broker, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn consumer(broker: &Broker, group: &str) -> Result<BaseConsumer> {
    let settings = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("check.crcs", "true"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ];
    Ok(client(broker, &settings).create()?)
}

fn assignment_of(topic: &str, partition: i32, offset: Offset) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset)?;
    Ok(list)
}

fn take(consumer: &BaseConsumer, count: usize) -> Result<Vec<OwnedMessage>> {
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        ensure!(Instant::now() < deadline, "{} of {count} records", taken.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            taken.push(message?.detach());
        }
    }
    Ok(taken)
}

#[test]
fn records_come_back_as_they_were_sent() -> Result<()> {
    let broker = broker_with("t", 1, TimestampType::CreateTime)?;
    for compression in ["none", "lz4", "zstd"] {
        let settings = [("enable.idempotence", "true"), ("compression.type", compression)];
        let producer: Sender = client(&broker, &settings).create()?;
        let headers = OwnedHeaders::new()
            .insert(Header { key: "bytes", value: Some(&[0, 255, 7][..]) })
            .insert(Header { key: "null", value: None::<&[u8]> });
        let full = BaseRecord::to("t")
            .key("key")
            .payload(&[0_u8, 1, 2, 255][..])
            .timestamp(1_700_000_000_123)
            .headers(headers);
        producer.send(full).map_err(|(error, _)| error)?;
        let bare = BaseRecord::<[u8], [u8]>::to("t").timestamp(5);
        producer.send(bare).map_err(|(error, _)| error)?;
        producer.flush(PATIENCE)?;
    }
    let consumer = consumer(&broker, "g")?;
    consumer.assign(&assignment_of("t", 0, Offset::Beginning)?)?;
    for (round, pair) in take(&consumer, 6)?.chunks(2).enumerate() {
        let [full, bare] = pair else { continue };
        assert_eq!((full.offset(), bare.offset()), (2 * round as i64, 2 * round as i64 + 1));
        assert_eq!(full.key(), Some(&b"key"[..]));
        assert_eq!(full.payload(), Some(&[0, 1, 2, 255][..]));
        assert_eq!(full.timestamp().to_millis(), Some(1_700_000_000_123));
        let headers = full.headers().context("headers")?;
        assert_eq!(headers.get(0), Header { key: "bytes", value: Some(&[0, 255, 7][..]) });
        assert_eq!(headers.get(1), Header { key: "null", value: None });
        assert_eq!((bare.key(), bare.payload()), (None, None));
        assert!(bare.headers().is_none());
    }
    assert_eq!(broker.next_offset("t", 0), Some(6));
    Ok(())
}

#[test]
fn log_append_time_is_the_brokers_and_offsets_are_found_by_it() -> Result<()> {
    let broker = broker_with("other", 1, TimestampType::CreateTime)?;
    let admin: AdminClient<_> = client(&broker, &[]).create()?;
    let topic = NewTopic::new("t", 1, TopicReplication::Fixed(1)).set("message.timestamp.type", "LogAppendTime");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let created = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
    ensure!(created == [Ok("t".to_owned())], "{created:?}");

    let before = super::cluster::now_millis();
    let producer: Sender = client(&broker, &[]).create()?;
    let record = BaseRecord::<[u8], [u8]>::to("t").payload(&[1]).timestamp(5);
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)?;
    let consumer = consumer(&broker, "g")?;
    consumer.assign(&assignment_of("t", 0, Offset::Beginning)?)?;
    let record = take(&consumer, 1)?.remove(0);
    let time = record.timestamp().to_millis().context("a time")?;
    assert!((before..=super::cluster::now_millis()).contains(&time));

    let find = |time| -> Result<Offset> {
        let asked = assignment_of("t", 0, Offset::Offset(time))?;
        let found = consumer.offsets_for_times(asked, PATIENCE)?;
        Ok(found.find_partition("t", 0).context("partition")?.offset())
    };
    assert_eq!(find(time)?, Offset::Offset(0));
    assert_eq!(find(time + 1)?, Offset::End);
    assert_eq!(consumer.fetch_watermarks("t", 0, PATIENCE)?, (0, 1));
    Ok(())
}

#[test]
fn a_batch_above_the_topic_s_limit_is_refused_and_the_limit_is_told() -> Result<()> {
    let broker = broker_with("other", 1, TimestampType::CreateTime)?;
    let admin: AdminClient<_> = client(&broker, &[]).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let options = AdminOptions::new();
    let topic = NewTopic::new("small", 1, TopicReplication::Fixed(1)).set("max.message.bytes", "2000");
    let wrong = NewTopic::new("wrong", 1, TopicReplication::Fixed(1)).set("max.message.bytes", "much");
    let created = runtime.block_on(admin.create_topics([&topic, &wrong], &options))?;
    assert_eq!(created, [Ok("small".to_owned()), Err(("wrong".to_owned(), RDKafkaErrorCode::InvalidConfig))]);

    let asked = ["small", "other", "none"].map(ResourceSpecifier::Topic);
    let told = runtime.block_on(admin.describe_configs(&asked, &options))?;
    let limit = |answer: Result<ConfigResource, RDKafkaErrorCode>| {
        answer.map(|found| found.get("max.message.bytes").and_then(|entry| entry.value.clone()))
    };
    let told: Vec<_> = told.into_iter().map(limit).collect();
    let said = |bytes: &str| Ok(Some(bytes.to_owned()));
    // The client shows no error of one topic, only that nothing is said of it.
    assert_eq!(told, [said("2000"), said("1048588"), Ok(None)]);

    let producer: Sender = client(&broker, &[]).create()?;
    for (length, next) in [(1_800, 1), (2_000, 1), (1_800, 2)] {
        let value = vec![0; length];
        producer.send(BaseRecord::<[u8], [u8]>::to("small").payload(&value)).map_err(|(error, _)| error)?;
        producer.flush(PATIENCE)?;
        assert_eq!(broker.next_offset("small", 0), Some(next), "after one of {length} bytes");
    }
    Ok(())
}

#[test]
fn a_commit_keeps_its_metadata_up_to_kafkas_limit() -> Result<()> {
    let broker = broker_with("t", 2, TimestampType::LogAppendTime)?;
    let consumer = consumer(&broker, "g")?;
    let commit = |metadata: &str| -> Result<()> {
        let list = assignment_of("t", 1, Offset::Offset(42))?;
        let mut element = list.find_partition("t", 1).context("partition")?;
        element.set_metadata(metadata);
        Ok(consumer.commit(&list, CommitMode::Sync)?)
    };
    let longest = "m".repeat(4096);
    commit(&longest)?;
    assert!(commit(&"m".repeat(4097)).is_err());

    let mut asked = assignment_of("t", 0, Offset::Invalid)?;
    asked.add_partition("t", 1);
    let found = consumer.committed_offsets(asked, PATIENCE)?;
    let second = found.find_partition("t", 1).context("partition")?;
    assert_eq!((second.offset(), second.metadata()), (Offset::Offset(42), longest.as_str()));
    let first = found.find_partition("t", 0).context("partition")?;
    assert_eq!(first.offset(), Offset::Invalid);
    Ok(())
}

/// Polls all of them until each owns something and together they own every partition once.
fn settle(consumers: &[&BaseConsumer], partitions: i32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut owned = Vec::new();
        let mut idle = 0;
        for consumer in consumers {
            consumer.poll(Duration::from_millis(10)).transpose()?;
            let own = consumer.assignment()?;
            idle += usize::from(own.count() == 0);
            owned.extend(own.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition));
        }
        let distinct: BTreeSet<i32> = owned.iter().copied().collect();
        if idle == 0 && owned.len() == distinct.len() && distinct.len() == partitions as usize {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the partitions owned are {owned:?}");
    }
}

#[test]
fn a_group_deals_the_partitions_anew_when_members_come_and_go() -> Result<()> {
    let broker = broker_with("t", 3, TimestampType::LogAppendTime)?;
    let join = || -> Result<BaseConsumer> {
        let mut config = client(&broker, &[("group.id", "g"), ("heartbeat.interval.ms", "200")]);
        config.set("partition.assignment.strategy", "cooperative-sticky");
        let member: BaseConsumer = config.create()?;
        member.subscribe(&["t"])?;
        Ok(member)
    };
    let a = join()?;
    settle(&[&a], 3)?;
    let b = join()?;
    settle(&[&a, &b], 3)?;
    let c = join()?;
    settle(&[&a, &b, &c], 3)?;
    drop(b);
    settle(&[&a, &c], 3)
}

#[test]
fn a_group_tells_who_its_members_are_and_what_they_have() -> Result<()> {
    let broker = broker_with("t", 2, TimestampType::LogAppendTime)?;
    let settings = [("group.id", "g"), ("group.instance.id", "pod-0"), ("enable.auto.commit", "false")];
    let member: BaseConsumer = client(&broker, &settings).create()?;
    member.subscribe(&["t"])?;
    settle(&[&member], 2)?;
    let asker = consumer(&broker, "another")?;
    let told = asker.fetch_group_list(Some("g"), PATIENCE)?;
    let group = told.groups().first().context("a group")?;
    assert_eq!((group.name(), group.state(), group.protocol_type()), ("g", "Stable", "consumer"));
    let [only] = group.members() else { anyhow::bail!("{} members", group.members().len()) };
    assert!(only.id().starts_with("pod-0-"), "{}", only.id());
    // A version, one topic of one letter, its two partitions.
    let assignment = only.assignment().context("an assignment")?;
    assert_eq!(assignment[2..21], *b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x01", "{assignment:?}");
    Ok(())
}

#[test]
fn a_topic_cannot_be_there_twice_or_have_no_partitions() -> Result<()> {
    let broker = broker_with("t", 1, TimestampType::CreateTime)?;
    let create = |name, partitions| broker.create_topic(name, partitions, TimestampType::CreateTime);
    assert!(matches!(create("t", 1), Err(BrokerError::TopicExists(_))));
    assert!(matches!(create("u", 0), Err(BrokerError::CreateTopic { .. })));
    assert!(matches!(create("u/v", 1), Err(BrokerError::CreateTopic { .. })));
    assert_eq!(broker.next_offset("u", 0), None);
    Ok(())
}
