//! Requests that make and remove topics.

use super::super::cluster::Cluster;
use super::super::codes::ErrorCode;
use super::super::log::TimestampType;
use super::super::topics::NewTopic;
use super::super::wire::{Read, Reader, Writer};
use super::no_throttle;

/// A topic as the client asks for it.
struct Asked {
    topic: NewTopic,
    error: Option<ErrorCode>,
}

/// Version 4. Of the configuration only `message.timestamp.type` has an effect, and the default of it is Kafka's.
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
    let timestamps =
        config.iter().find(|(key, _)| key == "message.timestamp.type").and_then(|(_, value)| value.as_deref());
    let (timestamps, error) = match timestamps {
        None | Some("CreateTime") => (TimestampType::CreateTime, None),
        Some("LogAppendTime") => (TimestampType::LogAppendTime, None),
        Some(_) => (TimestampType::CreateTime, Some(ErrorCode::InvalidConfig)),
    };
    let partitions = match partitions {
        -1 if assigned.is_empty() => 1,
        -1 => assigned.len() as i32,
        count => count,
    };
    let topic = NewTopic { name, partitions, timestamps };
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
