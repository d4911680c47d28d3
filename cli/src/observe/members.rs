//! Who has which partition, by what the group's coordinator says. Brokers that do not say are no error.
//!
//! An assignment is Kafka's "consumer protocol": a version (i16), then topics (i32 count; each a string with an i16 length, and
//! i32 partitions with an i32 count), big endian.

use std::collections::BTreeMap;

use plan::Plan;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::groups::GroupInfo;

use super::ASK;

/// The member that has each partition of the source topic.
pub(super) fn owners(asker: &BaseConsumer, plan: &Plan) -> BTreeMap<i32, String> {
    let Ok(groups) = asker.fetch_group_list(Some(&plan.group), ASK) else { return BTreeMap::new() };
    let members = groups.groups().iter().flat_map(GroupInfo::members);
    members
        .flat_map(|member| {
            let partitions = member.assignment().and_then(|bytes| assigned(bytes, &plan.source.topic));
            partitions.unwrap_or_default().into_iter().map(|partition| (partition, name(member.id()).to_owned()))
        })
        .collect()
}

/// A member's id is its name (its pod, for a static member) and a UUID that the broker adds.
fn name(id: &str) -> &str {
    /// Characters of `-` and a UUID.
    const SUFFIX: usize = 37;
    id.len().checked_sub(SUFFIX).filter(|end| *end > 0 && id.is_char_boundary(*end)).map_or(id, |end| &id[..end])
}

/// The partitions of `topic` in an assignment; nothing if it does not parse.
fn assigned(bytes: &[u8], topic: &str) -> Option<Vec<i32>> {
    let mut rest = bytes.get(2..)?;
    let mut found = Vec::new();
    for _ in 0..number(&mut rest)? {
        let length = i16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
        let name = take(&mut rest, usize::try_from(length).ok()?)?;
        for _ in 0..number(&mut rest)? {
            let partition = number(&mut rest)?;
            if name == topic.as_bytes() {
                found.push(partition);
            }
        }
    }
    Some(found)
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(take(rest, 4)?.try_into().ok()?))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_gives_the_partitions_of_its_topic_or_nothing() {
        let mut bytes = vec![0, 3, 0, 0, 0, 2];
        for (topic, partitions) in [("other", vec![7_i32]), ("sales", vec![0, 2])] {
            bytes.extend((topic.len() as i16).to_be_bytes());
            bytes.extend(topic.as_bytes());
            bytes.extend((partitions.len() as i32).to_be_bytes());
            bytes.extend(partitions.into_iter().flat_map(i32::to_be_bytes));
        }
        assert_eq!(assigned(&bytes, "sales"), Some(vec![0, 2]));
        assert_eq!(assigned(&bytes, "none"), Some(Vec::new()));
        for length in 0..bytes.len() {
            assert_eq!(assigned(&bytes[..length], "sales"), None, "{length} bytes");
        }
        assert_eq!(name("revenue-5m-0-01234567-89ab-cdef-0123-456789abcdef"), "revenue-5m-0");
        assert_eq!(name("short"), "short");
    }
}
