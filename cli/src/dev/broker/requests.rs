//! What the broker understands: each request with the versions it is served in, and the way to its answer.
//!
//! One version per request where clients allow it, the newest one that is not "flexible" if there is a choice: enough
//! for librdkafka 2 and the Java client 4. A request that is not in [`Api::of`] closes the connection, but a client
//! that asked for the list first will not send it. Not served: transactions, KIP-848 groups, ACLs, quotas.

mod cluster_info;
mod groups;
mod records;
mod topics;

use super::cluster::Cluster;
use super::wire::{Read, Reader, WireError, Writer};

/// The requests that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    OffsetCommit,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    LeaveGroup,
    SyncGroup,
    DescribeGroups,
    ListGroups,
    Versions,
    CreateTopics,
    DeleteTopics,
    InitProducerId,
    DescribeConfigs,
}

/// Each with its number on the wire and its lowest and highest version.
const SERVED: [(Api, i16, i16, i16); 18] = [
    (Api::Produce, 0, 7, 7),
    (Api::Fetch, 1, 11, 11),
    (Api::ListOffsets, 2, 5, 5),
    (Api::Metadata, 3, 12, 12),
    (Api::OffsetCommit, 8, 7, 7),
    (Api::OffsetFetch, 9, 5, 5),
    (Api::FindCoordinator, 10, 2, 2),
    (Api::JoinGroup, 11, 5, 5),
    (Api::Heartbeat, 12, 3, 3),
    (Api::LeaveGroup, 13, 1, 1),
    (Api::SyncGroup, 14, 3, 3),
    // What librdkafka lists groups with.
    (Api::DescribeGroups, 15, 0, 0),
    (Api::ListGroups, 16, 0, 0),
    (Api::Versions, 18, 0, 3),
    (Api::CreateTopics, 19, 4, 4),
    (Api::DeleteTopics, 20, 1, 1),
    (Api::InitProducerId, 22, 1, 1),
    (Api::DescribeConfigs, 32, 1, 1),
];

impl Api {
    fn of(number: i16) -> Option<(Self, bool, i16)> {
        SERVED
            .iter()
            .find(|(_, key, _, _)| *key == number)
            .map(|(api, _, _, highest)| (*api, *api == Self::Metadata, *highest))
    }
}

/// The response to a request, both without the length in front; None if the client wants none.
pub(super) fn answer(frame: &[u8], cluster: &Cluster) -> Read<Option<Vec<u8>>> {
    let mut request = Reader::new(frame);
    let (number, version) = (request.i16()?, request.i16()?);
    let correlation = request.i32()?;
    request.nullable_string()?;
    let (api, flexible, highest) = Api::of(number).ok_or(WireError::Unserved { api: number, version })?;
    let mut response = Writer::default();
    response.i32(correlation);
    if api == Api::Versions {
        cluster_info::api_versions(version, &mut response);
        return Ok(Some(response.into_bytes()));
    }
    if version != highest {
        return Err(WireError::Unserved { api: number, version });
    }
    if flexible {
        request.skip_tags()?;
        response.no_tags();
    }
    let wants_answer = dispatch(api, &mut request, &mut response, cluster)?;
    Ok(wants_answer.then(|| response.into_bytes()))
}

/// False if the client wants no answer.
fn dispatch(api: Api, request: &mut Reader<'_>, response: &mut Writer, cluster: &Cluster) -> Read<bool> {
    match api {
        Api::Produce => return records::produce(request, response, cluster),
        Api::Fetch => records::fetch(request, response, cluster)?,
        Api::ListOffsets => records::list_offsets(request, response, cluster)?,
        Api::Metadata => cluster_info::metadata(request, response, cluster)?,
        Api::OffsetCommit => groups::offset_commit(request, response, cluster)?,
        Api::OffsetFetch => groups::offset_fetch(request, response, cluster)?,
        Api::FindCoordinator => cluster_info::find_coordinator(request, response, cluster)?,
        Api::JoinGroup => groups::join(request, response, cluster)?,
        Api::Heartbeat => groups::heartbeat(request, response, cluster)?,
        Api::LeaveGroup => groups::leave(request, response, cluster)?,
        Api::SyncGroup => groups::sync(request, response, cluster)?,
        Api::DescribeGroups => groups::describe(request, response, cluster)?,
        Api::ListGroups => groups::list(response, cluster),
        Api::CreateTopics => topics::create(request, response, cluster)?,
        Api::DeleteTopics => topics::delete(request, response, cluster)?,
        Api::InitProducerId => cluster_info::init_producer_id(request, response, cluster)?,
        Api::DescribeConfigs => topics::describe_configs(request, response, cluster)?,
        Api::Versions => {}
    }
    Ok(true)
}

/// The field that starts most responses: this broker never asks a client to slow down.
fn no_throttle(response: &mut Writer) {
    response.i32(0);
}
