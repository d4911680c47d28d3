//! What the oracle says that a replay must know which starts at some position.

use stream_core::{BatchKey, EventTime, LogTime, Offset, Point};

use super::Run;
use crate::model::History;

/// The oracle's knowledge at `offset`, as the core writes it down.
pub fn point_at(run: &Run, history: &History, offset: i64) -> Point {
    let known = history.anchor_at(offset);
    let open = history.until(offset).open_batch();
    let batch = open.and_then(|batch| {
        let first = run.log.records.iter().position(|record| record.offset == batch.first)?;
        let (by_time, by_offset) = run.setting.params.batch_key(run.log.folded[first], batch.first);
        Some(BatchKey(by_time, by_offset))
    });
    Point {
        offset: Offset(offset),
        watermark: known.watermark.map_or(EventTime::NEVER, EventTime),
        log_time: LogTime(known.log_time.unwrap_or(i64::MIN)),
        batch,
    }
}
