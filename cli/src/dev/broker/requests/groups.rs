//! Requests of consumer groups: membership, and committed offsets.

use std::time::Duration;

use super::super::cluster::Cluster;
use super::super::codes::ErrorCode;
use super::super::group::{Caller, Committed, Join};
use super::super::wire::{Read, Reader, Writer};
use super::no_throttle;

/// The type of the groups' protocol.
const CONSUMERS: &str = "consumer";

fn millis(value: i32) -> Duration {
    Duration::from_millis(value.try_into().unwrap_or(0))
}

fn code(result: Result<(), ErrorCode>) -> i16 {
    result.err().unwrap_or(ErrorCode::None) as i16
}

/// Version 5. Answers when the generation begins.
pub(super) fn join(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let session_timeout = millis(request.i32()?);
    let rebalance_timeout = millis(request.i32()?);
    let member = request.string()?;
    let instance = request.nullable_string()?;
    // The protocol's type: always consumers.
    request.string()?;
    let protocols = request.array(|r| Ok((r.string()?, r.bytes()?.to_vec())))?;
    let join = Join { member: member.clone(), instance, session_timeout, rebalance_timeout, protocols };
    no_throttle(response);
    match cluster.groups.join(&group, join) {
        Ok((member, joined)) => {
            response.i16(ErrorCode::None as i16);
            response.i32(joined.generation);
            response.string(&joined.protocol);
            response.string(&joined.leader);
            response.string(&member);
            response.array(&joined.members, |w, (id, instance, subscription)| {
                w.string(id);
                w.nullable_string(instance.as_deref());
                w.bytes(subscription);
            });
        }
        Err(error) => {
            response.i16(error as i16);
            response.i32(-1);
            response.string("");
            response.string("");
            response.string(&member);
            response.array(&[(); 0], |_, ()| {});
        }
    }
    Ok(())
}

/// The fields that say who is calling, as most group requests have them.
fn read_caller(request: &mut Reader<'_>) -> Read<Caller> {
    Ok(Caller { generation: request.i32()?, member: request.string()?, instance: request.nullable_string()? })
}

/// Version 3. Answers when the leader has assigned.
pub(super) fn sync(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let caller = read_caller(request)?;
    let assignments = request.array(|r| Ok((r.string()?, r.bytes()?.to_vec())))?;
    let assigned = cluster.groups.sync(&group, &caller, assignments);
    no_throttle(response);
    response.i16(assigned.as_ref().err().copied().unwrap_or(ErrorCode::None) as i16);
    response.bytes(&assigned.unwrap_or_default());
    Ok(())
}

/// Version 3.
pub(super) fn heartbeat(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let caller = read_caller(request)?;
    let result = cluster.groups.with(&group, |group, now| group.heartbeat(&caller, now));
    no_throttle(response);
    response.i16(code(result));
    Ok(())
}

/// Version 1.
pub(super) fn leave(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let member = request.string()?;
    let result = cluster.groups.with(&group, |group, now| group.leave(&member, now));
    no_throttle(response);
    response.i16(code(result));
    Ok(())
}

/// Version 0.
pub(super) fn list(response: &mut Writer, cluster: &Cluster) {
    response.i16(ErrorCode::None as i16);
    response.array(&cluster.groups.names(), |w, name| {
        w.string(name);
        w.string(CONSUMERS);
    });
}

/// Version 0. A group that nobody joined is dead, as in Kafka.
pub(super) fn describe(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let names = request.array(Reader::string)?;
    response.array(&names, |w, name| {
        let group = cluster.groups.described(name).unwrap_or_default();
        w.i16(ErrorCode::None as i16);
        w.string(name);
        w.string(group.state);
        w.string(if group.members.is_empty() { "" } else { CONSUMERS });
        w.string(&group.protocol);
        w.array(&group.members, |w, member| {
            w.string(&member.id);
            w.string("");
            w.string("");
            w.bytes(&member.subscription);
            w.bytes(&member.assignment);
        });
    });
    Ok(())
}

/// Version 7.
pub(super) fn offset_commit(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let caller = read_caller(request)?;
    let topics = request.array(|r| {
        let topic = r.string()?;
        let partitions = r.array(|r| {
            let partition = r.i32()?;
            let committed = Committed { offset: r.i64()?, leader_epoch: r.i32()?, metadata: r.nullable_string()? };
            Ok((partition, committed))
        })?;
        Ok((topic, partitions))
    })?;
    no_throttle(response);
    cluster.groups.with(&group, |group, now| {
        let allowed = group.may_commit(&caller, now);
        response.array(&topics, |w, (topic, partitions)| {
            w.string(topic);
            w.array(partitions, |w, (partition, committed)| {
                let result = allowed.and_then(|()| group.commit(topic, *partition, committed.clone()));
                w.i32(*partition);
                w.i16(code(result));
            });
        });
    });
    Ok(())
}

/// Version 5. No topics named means every partition that the group has committed.
pub(super) fn offset_fetch(request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<()> {
    let group = request.string()?;
    let asked = request.nullable_array(|r| Ok((r.string()?, r.array(Reader::i32)?)))?;
    no_throttle(response);
    cluster.groups.with(&group, |group, _| {
        let asked = asked.unwrap_or_else(|| {
            let committed = group.committed_partitions();
            committed.map(|(topic, partition)| (topic.clone(), vec![*partition])).collect()
        });
        response.array(&asked, |w, (topic, partitions)| {
            w.string(topic);
            w.array(partitions, |w, partition| {
                let committed = group.committed(topic, *partition);
                w.i32(*partition);
                w.i64(committed.map_or(-1, |c| c.offset));
                w.i32(committed.map_or(-1, |c| c.leader_epoch));
                w.nullable_string(committed.map(|c| c.metadata.as_deref().unwrap_or_default()));
                w.i16(ErrorCode::None as i16);
            });
        });
    });
    response.i16(ErrorCode::None as i16);
    Ok(())
}
