//! Formats that outlive a process, as earlier versions wrote them: every later version reads them, or refuses them in a way
//! that leads to a replay; it never reads them as something else.
//!
//! The files lie in `tests/golden/`. A format that changes gets a new version and new files beside the old ones, which stay.
//! `SLUICE_WRITE_GOLDEN=1` writes files that are missing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use schemas::wire::{Content, Record, Sender};
use stream_core::{
    BatchKey, CollectorProgress, Decree, Emission, EventTime, History, LogTime, Offset, Point, Progress,
};
use tests::sim::sample_emissions;
use worker::progress::{self, CommittedProgress, ProgressError};
use worker::wire::{partial_content, read_partial, read_seal, report_body, seal_body};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The file's bytes; `written` are put there if there is none and it is asked for.
fn golden(name: &str, written: &[u8]) -> Result<Vec<u8>> {
    let path = path(name);
    if !path.exists() && std::env::var_os("SLUICE_WRITE_GOLDEN").is_some() {
        fs::write(&path, written)?;
    }
    fs::read(&path).with_context(|| format!("read '{}'", path.display()))
}

fn committed() -> CommittedProgress {
    let decrees = vec![
        Decree { at: Offset(1210), watermark: EventTime(1_795_392_040_000) },
        Decree { at: Offset(1234), watermark: EventTime(1_795_392_060_000) },
    ];
    let anchor = Point {
        offset: Offset(1200),
        watermark: EventTime(1_795_392_000_500),
        log_time: LogTime(1_795_392_010_000),
        batch: Some(BatchKey(59_846_400, 1)),
    };
    let history = decrees.iter().fold(History::start(Offset(7), EventTime::NEVER), History::with);
    let progress = Progress {
        position: Offset(1234),
        anchor,
        watermark: EventTime(1_795_392_060_000),
        latest: EventTime(1_795_392_050_123),
        decrees,
        volumes: Vec::new(),
        decree_pending: true,
        history,
        incarnation: 4,
    };
    let topic_id = Some("Zm9vYmFyYmF6cXV4MTIzNA".to_owned());
    CommittedProgress { progress, topic_id, revision: Some(3), idle: true }
}

#[test]
fn progress_of_version_1_is_read() -> Result<()> {
    let text = String::from_utf8(golden("progress-v1.txt", b"")?)?;
    let read = progress::decode(Offset(1234), text.trim_end())?;
    let decrees = &committed().progress.decrees;
    // That version knew no history, topic, revision or idle mark.
    let history = decrees.iter().fold(History(0), History::with);
    let progress = Progress { history, ..committed().progress };
    assert_eq!(read, CommittedProgress { progress, topic_id: None, revision: None, idle: false });
    Ok(())
}

#[test]
fn progress_of_version_2_is_read_and_written() -> Result<()> {
    let written = progress::encode(&committed());
    let text = String::from_utf8(golden("progress-v2.txt", written.as_bytes())?)?;
    assert_eq!(progress::decode(Offset(1234), &text)?, committed());
    assert_eq!(written, text, "a format that changes needs a new version");
    Ok(())
}

#[test]
fn progress_of_version_3_is_read_and_written() -> Result<()> {
    let progress = Progress { volumes: vec![1000, 0, 987_654_321], ..committed().progress };
    let committed = CommittedProgress { progress, ..committed() };
    let written = progress::encode(&committed);
    let text = String::from_utf8(golden("progress-v3.txt", written.as_bytes())?)?;
    assert_eq!(progress::decode(Offset(1234), &text)?, committed);
    assert_eq!(written, text, "a format that changes needs a new version");
    Ok(())
}

#[test]
fn publish_progress_of_version_1_is_read_and_written() -> Result<()> {
    let progress = CollectorProgress {
        position: Offset(90),
        anchor: Offset(71),
        published_until: EventTime(1_795_392_060_000),
        sealed: vec![EventTime(1_795_392_070_000), EventTime(1_795_392_060_000), EventTime::NEVER],
        incarnations: vec![4, 1, 0],
    };
    let written = progress::encode_collector(&progress);
    let text = String::from_utf8(golden("publish-progress-v1.txt", written.as_bytes())?)?;
    assert_eq!(progress::decode_collector(Offset(90), &text, 3)?, progress);
    assert_eq!(written, text, "a format that changes needs a new version");
    Ok(())
}

/// What no version of this code wrote leads to a replay from the start of the log, and never to another position.
#[test]
fn foreign_progress_is_refused() {
    for text in ["", "0 1 2", "3 - - 0 7 5 -3 9 - - 1 1 1 0", "{\"version\":2}", "2 - - 0 7 5", "1 5 -3 9 - - x 1 1 0"]
    {
        let read = progress::decode(Offset(9), text);
        let refused = matches!(&read, Err(ProgressError::OtherVersion { .. } | ProgressError::ParseField { .. }));
        assert!(refused, "'{text}' is read as {read:?}");
    }
}

#[test]
fn partials_of_version_1_are_read_and_written() -> Result<()> {
    let (domain, emissions) = sample_emissions();
    let from = Sender { partition: 0, incarnation: 2, revision: 1 };
    let mut kinds = [0; 3];
    for emission in emissions {
        let (name, content) = match &emission {
            Emission::Partial(partial) => (format!("partial-{}", kinds[0]), partial_content(partial)?),
            Emission::Seal(seal) => (format!("seal-{}", kinds[1]), Content::Seal(seal_body(seal, 0))),
            Emission::Report(report) => {
                (format!("report-{}", kinds[2]), { Content::Report(report_body(report, &domain.plan)) })
            }
        };
        kinds[usize::from(!matches!(emission, Emission::Partial(_)))
            + usize::from(matches!(emission, Emission::Report(_)))] += 1;
        let record = Record { from, content };
        let bytes = golden(&format!("{name}-v1.bin"), &record.encode()?)?;
        let read = Record::decode(&bytes)?;
        ensure!(read.from == from, "{name} is from {:?}", read.from);
        match (&read.content, &emission) {
            (Content::Partial(header, rows), Emission::Partial(partial)) => {
                assert_eq!(&read_partial(header, rows, 0, &domain.program)?, partial, "{name}");
            }
            (Content::Seal(body), Emission::Seal(seal)) => assert_eq!(&read_seal(body, 0)?, seal, "{name}"),
            // Reports are only read as they are on the wire.
            (found, Emission::Report(_)) => assert_eq!(found, &record.content, "{name}"),
            (found, _) => panic!("{name} is {found:?}"),
        }
        if !matches!(emission, Emission::Partial(_)) {
            ensure!(bytes == record.encode()?, "{name}: a format that changes needs a new version");
        }
    }
    ensure!(kinds.iter().all(|count| *count > 0), "all kinds occur: {kinds:?}");
    let fence = golden("fence-v1.bin", &Record { from, content: Content::Fence }.encode()?)?;
    assert_eq!(Record::decode(&fence)?, Record { from, content: Content::Fence });
    Ok(())
}
