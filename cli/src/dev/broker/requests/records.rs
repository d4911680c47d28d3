//! Requests about records: produce, fetch, and offsets by time.

use std::time::{Duration, Instant};

use super::super::batch::Batch;
use super::super::cluster::{Cluster, LEADER_EPOCH, now_millis};
use super::super::codes::ErrorCode;
use super::super::log::{Extent, Stored};
use super::super::wire::{Read, Reader, WireError, Writer};
use super::no_throttle;

/// In a request for an offset: the next one, and the first one.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Version 7. False if the producer wants no acknowledgement.
pub(super) fn produce(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<bool> {
    request.nullable_string()?;
    let acks = request.i16()?;
    request.i32()?;
    let topics = request.array(|r| {
        let name = r.string()?;
        let partitions = r.array(|r| Ok((r.i32()?, r.nullable_bytes()?)))?;
        Ok((name, partitions))
    })?;
    response.array(&topics, |w, (name, partitions)| {
        w.string(name);
        w.array(partitions, |w, (partition, records)| {
            let stored = append(cluster, name, *partition, records.unwrap_or_default());
            let (error, stored) = match stored {
                Ok(stored) => (ErrorCode::None, stored),
                Err(error) => (error, NOT_STORED),
            };
            w.i32(*partition);
            w.i16(error as i16);
            w.i64(stored.base_offset);
            w.i64(stored.log_append_time);
            w.i64(0); // the log's first offset
        });
    });
    no_throttle(response);
    cluster.arrivals.ring();
    Ok(acks != 0)
}

const NOT_STORED: Stored = Stored { base_offset: -1, log_append_time: -1 };

fn append(cluster: &Cluster, topic: &str, partition: i32, records: &[u8]) -> Result<Stored, ErrorCode> {
    let topic = cluster.topics.find(topic)?;
    if records.len() > topic.max_message_bytes {
        return Err(ErrorCode::MessageTooLarge);
    }
    let batch = Batch::parse(records)?;
    topic.log(partition)?.append(batch, now_millis())
}

/// Bytes of a response beside the records; a hint.
const ROOM_FOR_FIELDS: usize = 4096;

/// What a fetch wants of one partition.
struct Wanted {
    partition: i32,
    offset: i64,
    max_bytes: usize,
}

struct Fetch {
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: usize,
    topics: Vec<(String, Vec<Wanted>)>,
}

/// What a fetch finds in one partition.
struct Found {
    partition: i32,
    error: ErrorCode,
    next_offset: i64,
    extent: Option<Extent>,
}

/// Version 11, without fetch sessions. Waits for `min_bytes` as long as the client allows.
pub(super) fn fetch(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let fetch = read_fetch(request)?;
    let deadline = Instant::now() + fetch.max_wait;
    let mut last_look = false;
    loop {
        let seen = cluster.arrivals.count();
        let (found, bytes, failed) = look(&fetch, cluster);
        if bytes >= fetch.min_bytes || failed || last_look || cluster.is_stopping() {
            return write_fetch(response, &fetch, &found, bytes);
        }
        last_look = !cluster.arrivals.wait_past(seen, deadline);
    }
}

fn read_fetch(request: &mut Reader<'_>) -> Read<Fetch> {
    request.i32()?;
    let max_wait = Duration::from_millis(request.i32()?.try_into().unwrap_or(0));
    let min_bytes = request.i32()?.try_into().unwrap_or(0);
    let max_bytes = request.i32()?.try_into().unwrap_or(0);
    request.i8()?;
    request.i32()?;
    request.i32()?;
    let topics = request.array(|r| {
        let name = r.string()?;
        let wanted = r.array(|r| {
            let partition = r.i32()?;
            r.i32()?;
            let offset = r.i64()?;
            r.i64()?;
            let max_bytes = r.i32()?.try_into().unwrap_or(0);
            Ok(Wanted { partition, offset, max_bytes })
        })?;
        Ok((name, wanted))
    })?;
    Ok(Fetch { max_wait, min_bytes, max_bytes, topics })
}

/// What is there now, in the order asked for; how many bytes of it; and whether anything is wrong.
fn look(fetch: &Fetch, cluster: &Cluster) -> (Vec<Vec<Found>>, usize, bool) {
    let (mut bytes, mut failed) = (0, false);
    let found = fetch.topics.iter().map(|(name, wanted)| {
        let partitions = wanted.iter().map(|wanted| {
            let room = wanted.max_bytes.min(fetch.max_bytes.saturating_sub(bytes));
            let found = look_at(cluster, name, wanted, room, bytes == 0);
            bytes += found.extent.as_ref().map_or(0, |e| e.length);
            failed |= found.error != ErrorCode::None;
            found
        });
        partitions.collect()
    });
    (found.collect(), bytes, failed)
}

fn look_at(cluster: &Cluster, topic: &str, wanted: &Wanted, room: usize, even_if_larger: bool) -> Found {
    let attempt = || {
        let topic = cluster.topics.find(topic)?;
        let log = topic.log(wanted.partition)?;
        let extent = log.read(wanted.offset, room, even_if_larger);
        Ok((log.next_offset(), extent))
    };
    let (next_offset, extent) = attempt().unwrap_or_else(|error| (-1, Err(error)));
    Found {
        partition: wanted.partition,
        error: extent.as_ref().err().copied().unwrap_or(ErrorCode::None),
        next_offset,
        extent: extent.ok(),
    }
}

fn write_fetch(response: &mut Writer, fetch: &Fetch, found: &[Vec<Found>], bytes: usize) -> Read<()> {
    let mut unread = Ok(());
    response.reserve(bytes + ROOM_FOR_FIELDS);
    no_throttle(response);
    response.i16(ErrorCode::None as i16);
    response.i32(0); // no session: every fetch names all its partitions
    let topics: Vec<_> = fetch.topics.iter().zip(found).collect();
    response.array(&topics, |w, ((name, _), partitions)| {
        w.string(name);
        w.array(partitions, |w, found| {
            w.i32(found.partition);
            w.i16(found.error as i16);
            w.i64(found.next_offset);
            w.i64(found.next_offset);
            w.i64(0);
            w.i32(-1); // aborted transactions: none
            w.i32(-1); // preferred replica: none
            let Some(extent) = &found.extent else {
                return w.bytes(&[]);
            };
            if let Err(error) = w.bytes_from(extent.length, |bytes| extent.read(bytes)) {
                unread = Err(WireError::Log(error.kind()));
            }
        });
    });
    unread
}

/// Version 5.
pub(super) fn list_offsets(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    request.i32()?;
    request.i8()?;
    let topics = request.array(|r| {
        let name = r.string()?;
        let partitions = r.array(|r| {
            let partition = r.i32()?;
            r.i32()?;
            Ok((partition, r.i64()?))
        })?;
        Ok((name, partitions))
    })?;
    no_throttle(response);
    response.array(&topics, |w, (name, partitions)| {
        w.string(name);
        w.array(partitions, |w, (partition, time)| {
            let (error, (offset, time)) = match offset_at(cluster, name, *partition, *time) {
                Ok(found) => (ErrorCode::None, found),
                Err(error) => (error, (-1, -1)),
            };
            w.i32(*partition);
            w.i16(error as i16);
            w.i64(time);
            w.i64(offset);
            w.i32(LEADER_EPOCH);
        });
    });
    Ok(())
}

fn offset_at(cluster: &Cluster, topic: &str, partition: i32, time: i64) -> Result<(i64, i64), ErrorCode> {
    let topic = cluster.topics.find(topic)?;
    let log = topic.log(partition)?;
    Ok(match time {
        LATEST => (log.next_offset(), -1),
        EARLIEST => (0, -1),
        time => log.offset_at(time).unwrap_or((-1, -1)),
    })
}
