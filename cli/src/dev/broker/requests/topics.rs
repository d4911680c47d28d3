//! Requests that make and remove topics.

use super::super::cluster::Cluster;
use super::super::codes::ErrorCode;
use super::super::log::TimestampType;
use super::super::topics::{MAX_MESSAGE_BYTES, NewTopic, Topic};
use super::super::wire::{Read, Reader, Writer};
use super::no_throttle;

const TIMESTAMPS: &str = "message.timestamp.type";
const LIMIT: &str = "max.message.bytes";

/// Number of topics among the kinds of resources.
const TOPIC: i8 = 2;
/// Where a setting comes from: the topic's own.
const OF_TOPIC: i8 = 1;

/// Version 1 of a question for settings: those of topics that have an effect here.
pub(super) fn describe_configs(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let asked = request.array(|r| Ok((r.i8()?, r.string()?, r.nullable_array(Reader::string)?)))?;
    request.bool()?;
    no_throttle(response);
    response.array(&asked, |w, (kind, name, keys)| {
        let topic = if *kind == TOPIC { cluster.topics.find(name) } else { Err(ErrorCode::InvalidRequest) };
        let mut settings = topic.as_ref().map_or_else(|_| Vec::new(), |topic| settings(topic));
        settings.retain(|(name, _)| keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key == name)));
        w.i16(topic.err().unwrap_or(ErrorCode::None) as i16);
        w.nullable_string(None);
        w.i8(*kind);
        w.string(name);
        w.array(&settings, |w, (name, value)| {
            w.string(name);
            w.nullable_string(Some(value));
            w.bool(true); // they cannot be changed
            w.i8(OF_TOPIC);
            w.bool(false);
            w.array(&[(); 0], |_, ()| {}); // synonyms
        });
    });
    Ok(())
}

fn settings(topic: &Topic) -> Vec<(&'static str, String)> {
    let timestamps = match topic.timestamps() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    vec![(LIMIT, topic.max_message_bytes.to_string()), (TIMESTAMPS, timestamps.to_owned())]
}

/// A topic as the client asks for it.
struct Asked {
    topic: NewTopic,
    error: Option<ErrorCode>,
}

/// Version 4. Of the configuration only `message.timestamp.type` and `max.message.bytes` have an effect; their defaults are Kafka's.
pub(super) fn create(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let topics = request.array(read_topic)?;
    request.i32()?;
    let only_validate = request.bool()?;
    no_throttle(response);
    response.array(&topics, |w, asked| {
        let error = asked.error.or_else(|| {
            if only_validate {
                let found = cluster.topics.find(&asked.topic.name);
                found.ok().map(|_| ErrorCode::TopicAlreadyExists)
            } else {
                cluster.topics.create(&asked.topic).err()
            }
        });
        w.string(&asked.topic.name);
        w.i16(error.unwrap_or(ErrorCode::None) as i16);
        w.nullable_string(None);
    });
    Ok(())
}

fn read_topic(request: &mut Reader<'_>) -> Read<Asked> {
    let name = request.string()?;
    let partitions = request.i32()?;
    request.i16()?;
    let assigned = request.array(|r| {
        let partition = r.i32()?;
        r.array(Reader::i32)?;
        Ok(partition)
    })?;
    let config = request.array(|r| Ok((r.string()?, r.nullable_string()?)))?;
    let setting = |name: &str| config.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref());
    let (timestamps, mut error) = match setting(TIMESTAMPS) {
        None | Some("CreateTime") => (TimestampType::CreateTime, None),
        Some("LogAppendTime") => (TimestampType::LogAppendTime, None),
        Some(_) => (TimestampType::CreateTime, Some(ErrorCode::InvalidConfig)),
    };
    let most = setting(LIMIT).map_or(Ok(MAX_MESSAGE_BYTES), str::parse);
    let max_message_bytes = most.unwrap_or_else(|_| {
        error = Some(ErrorCode::InvalidConfig);
        MAX_MESSAGE_BYTES
    });
    let partitions = match partitions {
        -1 if assigned.is_empty() => 1,
        -1 => assigned.len() as i32,
        count => count,
    };
    let topic = NewTopic { name, partitions, timestamps, max_message_bytes };
    Ok(Asked { topic, error })
}

/// Version 1.
pub(super) fn delete(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let names = request.array(Reader::string)?;
    request.i32()?;
    no_throttle(response);
    response.array(&names, |w, name| {
        let error = cluster.topics.delete(name).err();
        w.string(name);
        w.i16(error.unwrap_or(ErrorCode::None) as i16);
    });
    Ok(())
}
