//! One consumer group, Kafka's classic protocol, as a state machine: time is an argument, nobody waits here.
//!
//! Keeps true: a generation begins only when every member has joined it or has been dropped for not doing so; a request
//! from an older generation or a dropped member is refused; the leader alone assigns.
//! Source: the behaviour that KIP-62, KIP-345 and the protocol guide describe. A static member that comes back always
//! causes a rebalance here, where Kafka can spare it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::codes::ErrorCode;

/// A join into an empty group waits this long for others who are starting too.
const FIRST_JOIN_DELAY: Duration = Duration::from_millis(100);
/// Kafka's default for `offset.metadata.max.bytes`.
const METADATA_LIMIT: usize = 4096;

/// What a member says when it joins.
#[derive(Debug, Clone)]
pub(super) struct Join {
    pub(super) member: String,
    pub(super) instance: Option<String>,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    /// Assignors in order of preference, each with the member's subscription.
    pub(super) protocols: Vec<(String, Vec<u8>)>,
}

/// Who sends a request, as it says.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) member: String,
    pub(super) instance: Option<String>,
    pub(super) generation: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Option<String>,
}

#[derive(Debug)]
struct Member {
    join: Join,
    last_seen: Instant,
    /// A request of this member is waiting for the group, so it need not send heartbeats.
    waiting: bool,
    joined_next: bool,
    assignment: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Empty,
    Joining { not_before: Instant, deadline: Instant },
    Syncing,
    Stable,
}

#[derive(Debug)]
pub(super) struct Group {
    phase: Phase,
    generation: i32,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    offsets: BTreeMap<(String, i32), Committed>,
    names_given: u64,
}

/// The answer to a join, once the generation has begun.
pub(super) struct Joined {
    pub(super) generation: i32,
    pub(super) protocol: String,
    pub(super) leader: String,
    /// For the leader alone: every member with its instance and its subscription.
    pub(super) members: Vec<(String, Option<String>, Vec<u8>)>,
}

/// What a group says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    /// Kafka's word for its phase.
    pub(super) state: &'static str,
    /// The assignor.
    pub(super) protocol: String,
    pub(super) members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DescribedMember {
    pub(super) id: String,
    pub(super) subscription: Vec<u8>,
    pub(super) assignment: Vec<u8>,
}

impl Default for Described {
    fn default() -> Self {
        Self { state: "Dead", protocol: String::new(), members: Vec::new() }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            offsets: BTreeMap::new(),
            names_given: 0,
        }
    }
}

impl Group {
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    /// Takes a member into the next generation and gives its id.
    pub(super) fn join(&mut self, mut join: Join, now: Instant) -> Result<String, ErrorCode> {
        if join.protocols.is_empty() || !self.shares_a_protocol(&join) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if join.session_timeout.is_zero() {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if join.member.is_empty() {
            if let Some(previous) = self.holder_of(join.instance.as_ref()) {
                self.members.remove(&previous);
            }
            self.names_given += 1;
            // As Kafka does it: who it is, and a UUID.
            let name = join.instance.as_deref().unwrap_or("consumer");
            join.member = format!("{name}-00000000-0000-4000-8000-{:012x}", self.names_given);
        } else {
            self.known(&join.member, join.instance.as_ref())?;
        }
        let id = join.member.clone();
        self.members.insert(
            id.clone(),
            Member { join, last_seen: now, waiting: true, joined_next: true, assignment: Vec::new() },
        );
        self.rebalance(now);
        Ok(id)
    }

    fn shares_a_protocol(&self, join: &Join) -> bool {
        let others = || self.members.values().filter(|m| m.join.member != join.member);
        join.protocols.iter().any(|(name, _)| others().all(|member| member.supports(name)))
    }

    fn holder_of(&self, instance: Option<&String>) -> Option<String> {
        let instance = instance?;
        self.members.values().find(|m| m.join.instance.as_ref() == Some(instance)).map(|m| m.join.member.clone())
    }

    fn known(&mut self, member: &str, instance: Option<&String>) -> Result<&mut Member, ErrorCode> {
        if self.holder_of(instance).is_some_and(|holder| holder != member) {
            return Err(ErrorCode::FencedInstanceId);
        }
        self.members.get_mut(member).ok_or(ErrorCode::UnknownMemberId)
    }

    /// Makes everybody join again, unless they are being asked to already.
    fn rebalance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        let patience = self.members.values().map(|m| m.join.rebalance_timeout).max();
        let delay = match self.phase {
            Phase::Empty => FIRST_JOIN_DELAY,
            _ => Duration::ZERO,
        };
        self.phase = Phase::Joining { not_before: now + delay, deadline: now + patience.unwrap_or_default() };
    }

    /// Drops who has been silent for longer than its session, and begins the next generation if it can begin.
    /// To be called at [`Group::due`] and with every request.
    pub(super) fn advance(&mut self, now: Instant) {
        let before = self.members.len();
        self.members.retain(|_, m| m.waiting || now < m.last_seen + m.join.session_timeout);
        if self.members.len() < before {
            self.rebalance(now);
        }
        let Phase::Joining { not_before, deadline } = self.phase else {
            return;
        };
        if now >= deadline {
            self.members.retain(|_, m| m.joined_next);
        }
        if self.members.is_empty() {
            self.phase = Phase::Empty;
        } else if now >= not_before && self.members.values().all(|m| m.joined_next) {
            self.begin_generation(now);
        }
    }

    fn begin_generation(&mut self, now: Instant) {
        self.generation += 1;
        self.phase = Phase::Syncing;
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        let preferences = self.members.get(&self.leader).map(|m| m.join.protocols.clone());
        self.protocol = preferences
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .find(|name| self.members.values().all(|m| m.supports(name)))
            .unwrap_or_default();
        for member in self.members.values_mut() {
            member.joined_next = false;
            member.waiting = false;
            member.last_seen = now;
            member.assignment.clear();
        }
    }

    /// When [`Group::advance`] may have something to do although no request comes.
    pub(super) fn due(&self) -> Option<Instant> {
        let silent = self.members.values().filter(|m| !m.waiting);
        let session = silent.map(|m| m.last_seen + m.join.session_timeout).min();
        let joining = match self.phase {
            Phase::Joining { not_before, deadline } => {
                let all = self.members.values().all(|m| m.joined_next);
                Some(if all { not_before } else { deadline })
            }
            _ => None,
        };
        session.into_iter().chain(joining).min()
    }

    /// The answer to a join, or None while the generation has not begun.
    pub(super) fn joined(&self, member: &str, after: i32) -> Result<Option<Joined>, ErrorCode> {
        if !self.members.contains_key(member) {
            return Err(ErrorCode::UnknownMemberId);
        }
        if self.generation <= after {
            return Ok(None);
        }
        let members = if self.leader == member {
            self.members.values().map(|m| m.listed(&self.protocol)).collect()
        } else {
            Vec::new()
        };
        Ok(Some(Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members,
        }))
    }

    /// Takes the leader's assignments; from any other member it carries none.
    pub(super) fn sync(
        &mut self,
        caller: &Caller,
        assignments: Vec<(String, Vec<u8>)>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        self.check(caller, now)?;
        if matches!(self.phase, Phase::Joining { .. }) {
            return Err(ErrorCode::RebalanceInProgress);
        }
        if let Some(member) = self.members.get_mut(&caller.member) {
            member.waiting = true;
        }
        if self.phase == Phase::Syncing && self.leader == caller.member {
            for (id, assignment) in assignments {
                if let Some(member) = self.members.get_mut(&id) {
                    member.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
        }
        Ok(())
    }

    /// The member's assignment, or None while the leader has not assigned.
    pub(super) fn synced(&self, caller: &Caller) -> Result<Option<Vec<u8>>, ErrorCode> {
        let member = self.members.get(&caller.member).ok_or(ErrorCode::UnknownMemberId)?;
        match self.phase {
            _ if self.generation != caller.generation => Err(ErrorCode::RebalanceInProgress),
            Phase::Stable => Ok(Some(member.assignment.clone())),
            Phase::Syncing => Ok(None),
            Phase::Joining { .. } | Phase::Empty => Err(ErrorCode::RebalanceInProgress),
        }
    }

    pub(super) fn described(&self) -> Described {
        let state = match self.phase {
            Phase::Empty => "Empty",
            Phase::Joining { .. } => "PreparingRebalance",
            Phase::Syncing => "CompletingRebalance",
            Phase::Stable => "Stable",
        };
        let member = |member: &Member| {
            let (id, _, subscription) = member.listed(&self.protocol);
            DescribedMember { id, subscription, assignment: member.assignment.clone() }
        };
        Described { state, protocol: self.protocol.clone(), members: self.members.values().map(member).collect() }
    }

    /// No request of this member waits any longer.
    pub(super) fn answered(&mut self, member: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(member) {
            member.waiting = member.joined_next;
            member.last_seen = now;
        }
    }

    fn check(&mut self, caller: &Caller, now: Instant) -> Result<&mut Member, ErrorCode> {
        let generation = self.generation;
        let member = self.known(&caller.member, caller.instance.as_ref())?;
        if caller.generation != generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        member.last_seen = now;
        Ok(member)
    }

    pub(super) fn heartbeat(&mut self, caller: &Caller, now: Instant) -> Result<(), ErrorCode> {
        self.check(caller, now)?;
        match self.phase {
            Phase::Joining { .. } => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, member: &str, now: Instant) -> Result<(), ErrorCode> {
        self.members.remove(member).ok_or(ErrorCode::UnknownMemberId)?;
        self.rebalance(now);
        Ok(())
    }

    /// Whether this caller may commit now. Somebody outside the group may, while the group has no members.
    pub(super) fn may_commit(&mut self, caller: &Caller, now: Instant) -> Result<(), ErrorCode> {
        if caller.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check(caller, now)?;
        match self.phase {
            Phase::Syncing => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub(super) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) -> Result<(), ErrorCode> {
        if committed.metadata.as_ref().is_some_and(|m| m.len() > METADATA_LIMIT) {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        self.offsets.insert((topic.to_owned(), partition), committed);
        Ok(())
    }

    pub(super) fn committed(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.offsets.get(&(topic.to_owned(), partition))
    }

    /// Every partition with a commit, in order.
    pub(super) fn committed_partitions(&self) -> impl Iterator<Item = &(String, i32)> {
        self.offsets.keys()
    }
}

impl Member {
    fn supports(&self, protocol: &str) -> bool {
        self.join.protocols.iter().any(|(name, _)| name == protocol)
    }

    fn listed(&self, protocol: &str) -> (String, Option<String>, Vec<u8>) {
        let mut protocols = self.join.protocols.iter();
        let subscription = protocols.find(|(name, _)| name == protocol);
        (
            self.join.member.clone(),
            self.join.instance.clone(),
            subscription.map(|(_, bytes)| bytes.clone()).unwrap_or_default(),
        )
    }
}
