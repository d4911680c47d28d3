//! What lies in a partition's log behind its position: its last record, and what a watermark at a window's end would make of
//! the records that are not read yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::Plan;
use serde::Serialize;
use worker::registry::SchemaCache;
use worker::trial::{Trial, TrialError};

use super::ExplainError;
use crate::generate::progress_bar;
use crate::stretch::{Stored, Stretch};

/// Records that are judged at once.
const FETCH: usize = 8192;

/// What is found there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// Records that are not read yet.
    pub records: u64,
    /// Those of them that would be late if the window closed now, before they are read.
    pub late: u64,
    /// Offset of the last record of the log.
    pub last_offset: Option<i64>,
    /// Its log time, milliseconds.
    pub last_log_time: Option<i64>,
}

/// A partition that is being looked at.
struct Look {
    position: i64,
    trial: Trial<Arc<SchemaCache>>,
    waiting: Vec<Stored>,
    found: Unread,
}

/// Looks behind the positions, the watermark being `end`.
pub(super) fn read(
    plan: &Arc<Plan>,
    positions: &BTreeMap<i32, i64>,
    end: i64,
) -> Result<BTreeMap<i32, Unread>, ExplainError> {
    let schemas = Arc::new(SchemaCache::new(&plan.registry_url));
    let look = |(partition, position): (&i32, &i64)| {
        let trial = Trial::new(plan, schemas.clone(), *partition, *position, Some(end))?;
        Ok((*partition, Look { position: *position, trial, waiting: Vec::new(), found: Unread::default() }))
    };
    let mut looks = positions.iter().map(look).collect::<Result<BTreeMap<_, _>, TrialError>>()?;
    // One before the position, so that the last record is seen of a partition that is read to its end, too.
    let starts = positions.iter().map(|(partition, position)| (*partition, (position - 1).max(0))).collect();
    let stretch = Stretch::behind(plan, &plan.source.topic, &starts)?;
    let count = stretch.ranges().values().map(|range| (range.end - range.start).unsigned_abs()).sum();
    let bar = progress_bar("looking ahead", count);
    let mut failed = None;
    stretch.read(|record| {
        bar.inc(1);
        if let (None, Some(look)) = (&failed, looks.get_mut(&record.partition)) {
            failed = look.take_in(record).err();
        }
    })?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    Ok(looks.into_iter().map(|(partition, look)| Ok((partition, look.finish()?))).collect::<Result<_, TrialError>>()?)
}

impl Look {
    fn take_in(&mut self, record: Stored) -> Result<(), TrialError> {
        (self.found.last_offset, self.found.last_log_time) = (Some(record.offset), Some(record.timestamp.ms));
        if record.offset < self.position {
            return Ok(());
        }
        self.found.records += 1;
        self.waiting.push(record);
        if self.waiting.len() == FETCH {
            self.trial.feed(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Unread, TrialError> {
        self.trial.feed(&self.waiting)?;
        Ok(Unread { late: self.trial.finish()?.ledger.late, ..self.found })
    }
}
