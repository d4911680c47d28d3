//! Requests about the cluster: what it can do, where its partitions are, who coordinates, and producer ids.

use std::sync::Arc;

use super::super::cluster::{Cluster, LEADER_EPOCH, NODE};
use super::super::codes::ErrorCode;
use super::super::topics::Topic;
use super::super::wire::{Read, Reader, Writer};
use super::{SERVED, no_throttle};

/// The list of what is served, in the layout of the version asked for: 0 to 3. To a newer one the answer is version 0's
/// with an error, from which the client learns what to ask.
pub(super) fn api_versions(version: i16, response: &mut Writer) {
    let asked = (0..=3).contains(&version);
    let error = if asked { ErrorCode::None } else { ErrorCode::UnsupportedVersion };
    response.i16(error as i16);
    if asked && version == 3 {
        response.compact_array(&SERVED, |w, (_, key, lowest, highest)| {
            w.i16(*key);
            w.i16(*lowest);
            w.i16(*highest);
            w.no_tags();
        });
        no_throttle(response);
        response.no_tags();
        return;
    }
    response.array(&SERVED, |w, (_, key, lowest, highest)| {
        w.i16(*key);
        w.i16(*lowest);
        w.i16(*highest);
    });
    if asked && version > 0 {
        no_throttle(response);
    }
}

/// Version 12. Topics are found by name or by id; none named means all.
pub(super) fn metadata(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let asked = request.compact_nullable_array(|r| {
        let (id, name) = (r.uuid()?, r.compact_nullable_string()?);
        r.skip_tags()?;
        Ok((id, name))
    })?;
    let all = cluster.topics.all();
    let found: Vec<_> = match asked {
        None => all.into_iter().map(|(name, topic)| (Some(name), [0; 16], Some(topic))).collect(),
        Some(asked) => asked.into_iter().map(|(id, name)| find(&all, id, name)).collect(),
    };
    no_throttle(response);
    response.compact_array(&[cluster.address], |w, address| {
        w.i32(NODE);
        w.compact_nullable_string(Some(&address.ip().to_string()));
        w.i32(i32::from(address.port()));
        w.compact_nullable_string(None);
        w.no_tags();
    });
    response.compact_nullable_string(Some("sluice-dev"));
    response.i32(NODE);
    response.compact_array(&found, |w, (name, id, topic)| {
        write_topic(w, name.as_deref(), *id, topic.as_deref());
    });
    response.no_tags();
    Ok(())
}

type Found = (Option<String>, [u8; 16], Option<Arc<Topic>>);

fn find(all: &[(String, Arc<Topic>)], id: [u8; 16], name: Option<String>) -> Found {
    let found = all.iter().find(|(known, topic)| match &name {
        Some(name) => known == name,
        None => topic.id == id,
    });
    match found {
        Some((known, topic)) => (Some(known.clone()), id, Some(Arc::clone(topic))),
        None => (name, id, None),
    }
}

fn write_topic(response: &mut Writer, name: Option<&str>, id: [u8; 16], topic: Option<&Topic>) {
    let error = match topic {
        Some(_) => ErrorCode::None,
        None => ErrorCode::UnknownTopicOrPartition,
    };
    response.i16(error as i16);
    response.compact_nullable_string(name);
    response.uuid(topic.map_or(id, |topic| topic.id));
    response.bool(false);
    let partitions: Vec<_> = (0..topic.map_or(0, Topic::partition_count)).collect();
    response.compact_array(&partitions, |w, partition| {
        w.i16(ErrorCode::None as i16);
        w.i32(*partition as i32);
        w.i32(NODE);
        w.i32(LEADER_EPOCH);
        w.compact_array(&[NODE], |w, node| w.i32(*node));
        w.compact_array(&[NODE], |w, node| w.i32(*node));
        w.compact_array(&[], |w, node| w.i32(*node));
        w.no_tags();
    });
    response.i32(i32::MIN); // which operations are allowed: not asked
    response.no_tags();
}

/// Version 2: this broker coordinates everything.
pub(super) fn find_coordinator(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    request.string()?;
    request.i8()?;
    no_throttle(response);
    response.i16(ErrorCode::None as i16);
    response.nullable_string(None);
    response.i32(NODE);
    response.string(&cluster.address.ip().to_string());
    response.i32(i32::from(cluster.address.port()));
    Ok(())
}

/// Version 1. Transactions are refused.
pub(super) fn init_producer_id(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let transactional = request.nullable_string()?.is_some();
    request.i32()?;
    let (error, id) =
        if transactional { (ErrorCode::UnsupportedVersion, -1) } else { (ErrorCode::None, cluster.next_producer()) };
    no_throttle(response);
    response.i16(error as i16);
    response.i64(id);
    response.i16(if transactional { -1 } else { 0 });
    Ok(())
}
