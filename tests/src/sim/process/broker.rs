//! The broker and the registry as a process meets them.

use std::sync::Arc;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use schemas::wire::pieces::split;
use stream_core::{LogTime, Offset, Point, Program, Reason, Refused, Undecodable};
use worker::IngestError;
use worker::decode::LogClock;
use worker::ingest::effects::{Broker, Commit, Ends, Read, Reader, Records};
use worker::progress::decode;
use worker::source::SourceError;
use worker::source::batch::{Timestamp, TimestampKind};

use super::{Outside, timed_out};
use crate::sim::domain::{Domain, Sale};
use crate::sim::mutant;
use crate::sim::run::Sim;
use crate::sim::world::{BROKER, Fuse, Message, REGISTRY};

impl Outside {
    /// A question to the broker, which may be away.
    fn ask<T>(&self, effect: &'static str, answer: impl FnOnce(&Sim) -> T) -> Result<T, IngestError> {
        let sim = self.sim();
        sim.before(self.pid, effect)?;
        if sim.world().is_away(BROKER) {
            sim.world().tally.count("recovery: a question to the broker was asked again");
            sim.next();
            return Err(SourceError::AskCommitted { source: timed_out() }.into());
        }
        let answered = answer(&sim);
        sim.after(self.pid)?;
        Ok(answered)
    }
}

impl Broker for Outside {
    fn expect_outputs(&self, _partition: i32) -> Result<(), IngestError> {
        self.ask("ask", |_| ())
    }

    fn arrived(&self, _partition: i32) -> Result<(), IngestError> {
        Ok(())
    }

    fn topic_id(&self) -> Result<Option<String>, IngestError> {
        self.ask("ask", |_| Some("sales-1".to_owned()))
    }

    fn is_reachable(&self) -> bool {
        !self.sim().world().is_away(BROKER)
    }

    fn ends(&self, partition: i32) -> Result<Ends, IngestError> {
        self.ask("ask", |sim| sim.world().sources[partition as usize].ends())
    }

    fn committed(&self, partitions: &[i32]) -> Result<Vec<Option<Commit>>, IngestError> {
        self.ask("ask", |sim| {
            let world = sim.world();
            partitions.iter().map(|partition| world.group.commits.get(partition).cloned()).collect()
        })
    }

    fn commit(&self, partition: i32, commit: &Commit) -> Result<(), IngestError> {
        let sim = self.sim();
        sim.before(self.pid, "commit")?;
        let offset = commit.position.0;
        let failed = |source| IngestError::from(SourceError::Commit { partition, offset, source });
        let fuse = sim.world().burn(self.pid, |fuse| matches!(fuse, Fuse::LoseAck | Fuse::Refuse));
        if sim.world().is_away(BROKER) {
            sim.next();
            return Err(failed(timed_out()));
        }
        if fuse == Some(Fuse::Refuse) {
            sim.world().tally.count("fault: a commit was refused in a rebalance");
            sim.next();
            return Err(failed(KafkaError::ConsumerCommit(Code::RebalanceInProgress)));
        }
        if !sim.world().group.has(self.pid, partition) {
            sim.world().tally.count("recovery: a commit of one that had lost the partition was refused");
            return Err(SourceError::Own { partition }.into());
        }
        sim.world().commit(partition, &mutant::commit(sim.mutant, commit));
        if fuse == Some(Fuse::LoseAck) {
            sim.world().tally.count("fault: a commit was made and reported as failed");
            sim.next();
            return Err(failed(timed_out()));
        }
        sim.after(self.pid)?;
        Ok(())
    }

    fn offset_at(&self, partition: i32, time: LogTime) -> Result<Offset, IngestError> {
        self.ask("ask", |sim| {
            let world = sim.world();
            let source = &world.sources[partition as usize];
            let found = source.entries[..source.visible].iter().find(|entry| entry.log_time >= time.0);
            found.map_or(source.ends().high, |entry| Offset(entry.offset))
        })
    }

    fn tenure(&self, partition: i32) -> Option<u64> {
        let sim = self.sim();
        let knows = sim.mutant != Some(mutant::Mutant::CommitWhatWasLost);
        if knows { sim.world().tenure(self.pid, partition) } else { Some(0) }
    }

    fn open(&self, partition: i32, tenure: u64, from: &Point, both: bool) -> Result<Box<dyn Reader>, IngestError> {
        let sim = self.sim();
        sim.before(self.pid, "open")?;
        if self.tenure(partition) != Some(tenure) {
            sim.world().tally.count("recovery: a partition was lost while it was taken over");
            return Err(SourceError::Own { partition }.into());
        }
        let mut world = sim.world();
        let committed = world.group.commits.get(&partition);
        let committed = committed.and_then(|commit| decode(commit.position, &commit.metadata).ok());
        let at = committed.as_ref().map(|committed| (committed.first().anchor.offset, committed.position()));
        if committed.is_some_and(|committed| committed.progress.decree_pending) {
            world.tally.count("recovery: a decree was committed and not yet sent when its owner was gone");
        }
        world.tally.count(match at {
            Some((anchor, position)) if anchor < from.offset && from.offset <= position => {
                "recovery: a partition was taken up at a checkpoint"
            }
            Some((_, position)) if from.offset < position => "recovery: a partition was rebuilt from its anchor",
            _ => "recovery: a partition was taken up where it was committed",
        });
        drop(world);
        let deal = sim.world().group.deals.get(&partition).copied();
        let clock = LogClock::resume(from.log_time.0.max(0));
        sim.after(self.pid)?;
        let before = if both { self.before.clone() } else { None };
        Ok(Box::new(SimReader { outside: self.clone(), before, partition, clock, deal }))
    }

    fn send(&self, output: u32, record: &schemas::wire::Record) -> Result<(), IngestError> {
        let sim = self.sim();
        sim.before(self.pid, "send")?;
        let partitions = sim.world().sources.len();
        for record in mutant::sent(sim.mutant, record, partitions) {
            for value in split(&record, sim.most)? {
                sim.world().send(self.pid, Message::Partial(output as usize, Arc::new(value)));
            }
        }
        sim.after(self.pid)?;
        Ok(())
    }

    fn flush(&self) -> Result<(), IngestError> {
        let sim = self.sim();
        sim.before(self.pid, "flush")?;
        let amid = sim.world().burn(self.pid, |fuse| matches!(fuse, Fuse::Amid(_)));
        if let Some(Fuse::Amid(count)) = amid {
            let mut world = sim.world();
            world.tally.count("fault: crash in the middle of a flush");
            world.deliver(self.pid, count);
            world.die(self.pid);
            return Err(IngestError::Stopped);
        }
        while sim.world().is_away(BROKER) {
            sim.world().tally.count("recovery: a flush waited for the broker");
            sim.next();
            sim.expect_alive(self.pid)?;
        }
        if sim.mutant != Some(mutant::Mutant::CommitBeforeAck) {
            sim.world().deliver(self.pid, usize::MAX);
        }
        sim.after(self.pid)?;
        Ok(())
    }
}

/// A partition's records as a process reads them.
struct SimReader {
    outside: Outside,
    /// The meaning before, where its records are asked for too.
    before: Option<Arc<Domain>>,
    partition: i32,
    clock: LogClock,
    /// How often the partition had changed hands when it was opened.
    deal: Option<u64>,
}

impl Reader for SimReader {
    fn owns(&self) -> bool {
        let sim = self.outside.sim();
        let world = sim.world();
        let is_member = world.group.members.get(&world.lives[self.outside.pid].slot) == Some(&self.outside.pid);
        // Who is no member any more does not know it; its commits are refused.
        let knows = sim.mutant != Some(mutant::Mutant::CommitWhatWasLost);
        !knows || !is_member || world.group.deals.get(&self.partition).copied() == self.deal
    }

    fn read(&mut self, position: Offset, until: Offset) -> Result<Read, IngestError> {
        let (sim, pid) = (self.outside.sim(), self.outside.pid);
        sim.before(pid, "read")?;
        while sim.world().is_away(REGISTRY) {
            sim.world().tally.count("recovery: a read waited for the registry");
            sim.next();
            sim.expect_alive(pid)?;
        }
        let world = sim.world();
        let source = &world.sources[self.partition as usize];
        if position.0 < source.gone && !world.is_away(BROKER) {
            return Err(IngestError::OffsetGone { partition: self.partition, position: position.0 });
        }
        let first = source.entries.partition_point(|entry| entry.offset < position.0);
        let room = if world.is_away(BROKER) { 0 } else { world.lives[pid].fetch };
        let there = &source.entries[first..source.visible.max(first)];
        let taken: Vec<_> = there.iter().take(room).take_while(|entry| entry.offset < until.0).collect();
        let behind = taken.last().map_or(position.0, |last| last.offset + 1);
        // Where the log goes on without records may be known or not.
        let known = match there.get(taken.len()) {
            _ if room == 0 || (world.time / 2).is_multiple_of(2) => behind,
            Some(next) => next.offset,
            None => source.ends().stable.0,
        };
        let end = Offset(known.min(until.0).max(behind));
        let mut read = Records::none(&self.outside.domain.plan.arrow_schema);
        let mut sales: Vec<Sale> = Vec::new();
        for entry in taken {
            let log_time =
                self.clock.advance(entry.offset, Timestamp { ms: entry.log_time, kind: TimestampKind::Create });
            if let Some(sale) = &entry.sale {
                read.offsets.push(entry.offset);
                read.log_times.push(log_time);
                sales.push(sale.clone());
            } else {
                let (offset, log_time) = (Offset(entry.offset), LogTime(log_time));
                read.undecodable.push(Undecodable {
                    offset,
                    log_time,
                    kind: "no-sale",
                    reason: "no sale".to_owned(),
                    is_null: false,
                });
            }
        }
        drop(world);
        let before = self.before.as_ref().map(|before| Records {
            rows: before.rows(&sales),
            offsets: read.offsets.clone(),
            log_times: read.log_times.clone(),
            undecodable: read.undecodable.clone(),
        });
        read.rows = self.outside.domain.rows(&sales);
        sim.after(pid)?;
        Ok(Read { records: read, before, end })
    }

    fn dead_letter(&self, _program: &Program, refused: &Refused) -> Result<(), IngestError> {
        let (sim, pid) = (self.outside.sim(), self.outside.pid);
        sim.before(pid, "dead letter")?;
        let mut world = sim.world();
        let is_new = world.lives[pid].is_new;
        world.send(pid, Message::Letter(self.partition, refused.offset.0, reason(&refused.reason), is_new));
        drop(world);
        sim.after(pid)?;
        Ok(())
    }
}

/// The word for why a record was refused.
fn reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::Undecodable { .. } => "undecodable",
        Reason::Late { .. } => "late",
        _ => "invalid",
    }
}
