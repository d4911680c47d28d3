//! A group's story, step by step; time is a number of milliseconds since its beginning.

use std::time::{Duration, Instant};

use super::codes::ErrorCode;
use super::group::{Caller, Committed, Group, Join};

struct Story {
    group: Group,
    start: Instant,
}

fn story() -> Story {
    Story { group: Group::default(), start: Instant::now() }
}

fn caller(member: &str, generation: i32) -> Caller {
    Caller { member: member.into(), instance: None, generation }
}

impl Story {
    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn join(&mut self, member: &str, millis: u64) -> Result<String, ErrorCode> {
        let join = Join {
            member: member.into(),
            instance: None,
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_mins(1),
            protocols: vec![("sticky".into(), vec![1]), ("range".into(), vec![2])],
        };
        let now = self.at(millis);
        self.group.join(join, now)
    }

    fn advance(&mut self, millis: u64) {
        let now = self.at(millis);
        self.group.advance(now);
    }

    /// A stable generation 1 of two members, of whom the first leads.
    fn with_two(&mut self) -> (String, String) {
        let a = self.join("", 0).expect("join");
        let b = self.join("", 10).expect("join");
        self.advance(100);
        let now = self.at(110);
        let assignments = vec![(a.clone(), vec![1]), (b.clone(), vec![2])];
        self.group.sync(&caller(&a, 1), assignments, now).expect("leader syncs");
        self.group.answered(&a, now);
        self.group.sync(&caller(&b, 1), vec![], now).expect("follower syncs");
        self.group.answered(&b, now);
        (a, b)
    }
}

#[test]
fn the_first_generation_waits_for_those_who_start_together() {
    let mut story = story();
    let a = story.join("", 0).expect("join");
    story.advance(99);
    assert!(story.group.joined(&a, 0).expect("member").is_none());
    let b = story.join("", 99).expect("join");
    assert_eq!(story.group.due(), Some(story.at(100)));
    story.advance(100);
    let leader = story.group.joined(&a, 0).expect("member").expect("begun");
    assert_eq!((leader.generation, leader.protocol.as_str()), (1, "sticky"));
    assert_eq!((leader.leader.as_str(), leader.members.len()), (a.as_str(), 2));
    let follower = story.group.joined(&b, 0).expect("member").expect("begun");
    assert!(follower.members.is_empty());
}

#[test]
fn each_member_gets_what_the_leader_assigned() {
    let mut story = story();
    let (a, b) = story.with_two();
    assert_eq!(story.group.synced(&caller(&a, 1)), Ok(Some(vec![1])));
    assert_eq!(story.group.synced(&caller(&b, 1)), Ok(Some(vec![2])));
}

#[test]
fn a_newcomer_makes_the_others_join_again_and_waits_for_them() {
    let mut story = story();
    let (a, b) = story.with_two();
    let c = story.join("", 200).expect("join");
    let now = story.at(210);
    let rebalance = Err(ErrorCode::RebalanceInProgress);
    assert_eq!(story.group.heartbeat(&caller(&a, 1), now), rebalance);
    assert_eq!(story.group.heartbeat(&caller(&b, 1), now), rebalance);
    assert_eq!(story.group.may_commit(&caller(&a, 1), now), Ok(()), "before it joins again");
    story.join(&a, 220).expect("join");
    story.advance(220);
    assert!(story.group.joined(&c, 1).expect("member").is_none());
    story.join(&b, 230).expect("join");
    story.advance(230);
    assert_eq!(story.group.joined(&c, 1).expect("member").expect("begun").generation, 2);
    assert_eq!(story.group.heartbeat(&caller(&a, 1), story.start), Err(ErrorCode::IllegalGeneration));
}

#[test]
fn a_silent_member_is_dropped_and_its_requests_refused() {
    let mut story = story();
    let (a, b) = story.with_two();
    let now = story.at(9_000);
    assert_eq!(story.group.heartbeat(&caller(&a, 1), now), Ok(()));
    story.advance(10_110);
    let now = story.at(10_110);
    assert_eq!(story.group.heartbeat(&caller(&b, 1), now), Err(ErrorCode::UnknownMemberId));
    assert_eq!(story.group.heartbeat(&caller(&a, 1), now), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(story.group.may_commit(&caller(&b, 1), now), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn who_does_not_join_again_in_time_is_dropped() {
    let mut story = story();
    let (a, b) = story.with_two();
    story.join(&a, 200).expect("join");
    for millis in (1_000..60_200).step_by(5_000) {
        let now = story.at(millis);
        assert_eq!(story.group.heartbeat(&caller(&b, 1), now), Err(ErrorCode::RebalanceInProgress));
        story.advance(millis);
    }
    story.advance(60_200);
    assert_eq!(story.group.joined(&a, 1).expect("member").expect("begun").members.len(), 1);
    assert_eq!(story.join(&b, 60_300), Err(ErrorCode::UnknownMemberId));
}

#[test]
fn somebody_outside_may_commit_only_while_nobody_is_inside() {
    let mut story = story();
    let outside = caller("", -1);
    let now = story.at(0);
    assert_eq!(story.group.may_commit(&outside, now), Ok(()));
    let committed = Committed { offset: 1, leader_epoch: 0, metadata: Some("m".into()) };
    story.group.commit("t", 0, committed.clone()).expect("commit");
    story.with_two();
    assert_eq!(story.group.may_commit(&outside, now), Err(ErrorCode::UnknownMemberId));
    assert_eq!(story.group.committed("t", 0), Some(&committed));
}

#[test]
fn a_static_member_that_comes_back_fences_its_former_self() {
    let mut story = story();
    let join = |member: &str| Join {
        member: member.into(),
        instance: Some("pod-0".into()),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_mins(1),
        protocols: vec![("sticky".into(), vec![])],
    };
    let now = story.at(0);
    let old = story.group.join(join(""), now).expect("join");
    let new = story.group.join(join(""), now).expect("join");
    assert_ne!(old, new);
    assert_eq!(story.group.join(join(&old), now), Err(ErrorCode::FencedInstanceId));
}

#[test]
fn a_group_says_who_has_what() {
    let mut story = story();
    assert_eq!(story.group.described().state, "Empty");
    let (a, b) = story.with_two();
    let described = story.group.described();
    let members: Vec<_> = described.members.iter().map(|member| (&member.id, &member.assignment[..])).collect();
    assert_eq!((described.state, described.protocol.as_str()), ("Stable", "sticky"));
    assert_eq!(members, [(&a, &[1][..]), (&b, &[2][..])]);
    story.join(&a, 200).expect("join");
    assert_eq!(story.group.described().state, "PreparingRebalance");
}
