//! Formats that outlive a process, as earlier versions wrote them: every later version reads them, or refuses them in a way
//! that leads to a replay; it never reads them as something else.
//!
//! The files lie in `tests/golden/`. A format that changes gets a new version and new files beside the old ones, which stay.
//! `SLUICE_WRITE_GOLDEN=1` writes files that are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use schemas::wire::pieces::{Joiner, LEAST, split};
use schemas::wire::{Content, PartialHeader, Record, Sender};
use stream_core::{
    BatchKey, BeforeProgress, CollectorProgress, Decree, Doubt, Emission, EventTime, History, Lane, LogTime, Loss,
    Lost, Offset, Partition, Point, Progress, Seal,
};
use tempfile::TempDir;
use tests::sim::{sample_emissions, sample_lane, sample_rest};
use worker::checkpoint::manifest::{FORMAT, Identity, Manifest};
use worker::checkpoint::{Keeper, LocalVolume};
use worker::progress::{self, CommittedProgress, CommittedPublish, ProgressError};
use worker::wire::{loss_body, partial_content, read_loss, read_partial, read_seal, report_body, seal_body};

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
        losses: Vec::new(),
        history,
        incarnation: 4,
    };
    let topic_id = Some("Zm9vYmFyYmF6cXV4MTIzNA".to_owned());
    CommittedProgress { progress, topic_id, revision: Some(3), idle: true, before: None }
}

#[test]
fn progress_of_version_1_is_read() -> Result<()> {
    let text = String::from_utf8(golden("progress-v1.txt", b"")?)?;
    let read = progress::decode(Offset(1234), text.trim_end())?;
    let decrees = &committed().progress.decrees;
    // That version knew no history, topic, revision or idle mark.
    let history = decrees.iter().fold(History(0), History::with);
    let progress = Progress { history, ..committed().progress };
    assert_eq!(read, CommittedProgress { progress, topic_id: None, revision: None, idle: false, before: None });
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

/// While a meaning is being left, without and with the records of the last batches.
#[test]
fn progress_of_version_4_is_read_and_written() -> Result<()> {
    let cases = [("progress-v4.txt", vec![], vec![]), ("progress-v4-volumes.txt", vec![7], vec![1000, 0, 987_654_321])];
    for (name, volumes, volumes_before) in cases {
        let progress = Progress { volumes: volumes_before, ..committed().progress };
        let before = BeforeProgress { progress, since: Offset(1210) };
        let begun = Progress::join(Offset(1190), EventTime(1_795_392_300_000));
        let progress = Progress { incarnation: 4, volumes, ..begun };
        let committed = CommittedProgress { progress, before: Some(before), ..committed() };
        let written = progress::encode(&committed);
        let text = String::from_utf8(golden(name, written.as_bytes())?)?;
        assert_eq!(progress::decode(Offset(1234), &text)?, committed, "{name}");
        assert_eq!(written, text, "{name}: a format that changes needs a new version");
    }
    Ok(())
}

/// Once the log has lost records that were needed: in the only meaning, and in either of two.
#[test]
fn progress_of_version_5_is_read_and_written() -> Result<()> {
    let cases = [
        ("progress-v5.txt", false, true),
        ("progress-v5-leaving.txt", true, true),
        ("progress-v5-left.txt", true, false),
    ];
    for (name, is_leaving, has_lost) in cases {
        let losses = if has_lost { losses() } else { Vec::new() };
        let progress = Progress { losses, volumes: vec![1000, 0], ..committed().progress };
        let before = Progress { losses: self::losses(), ..committed().progress };
        let before = is_leaving.then_some(BeforeProgress { progress: before, since: Offset(1210) });
        let committed = CommittedProgress { progress, before, ..committed() };
        let written = progress::encode(&committed);
        let text = String::from_utf8(golden(name, written.as_bytes())?)?;
        assert_eq!(progress::decode(Offset(1234), &text)?, committed, "{name}");
        assert_eq!(written, text, "{name}: a format that changes needs a new version");
    }
    Ok(())
}

/// One that is over and one that nothing bounds yet.
fn losses() -> Vec<Loss> {
    let (after, until) = (EventTime(1_795_391_700_000), Some(EventTime(1_795_392_000_000)));
    let first = Loss { from: Offset(17), to: Offset(80), position: Offset(40), after, until, over: true };
    let (from, position) = (Offset(1100), Offset(1150));
    vec![first, Loss { from, to: Offset(1200), position, until: None, over: false, ..first }]
}

#[test]
fn publish_progress_of_version_4_is_read_and_written() -> Result<()> {
    let lost = Lost { partition: Partition(1), from: Offset(17), to: Offset(80) };
    let (after, until) = (EventTime(1_795_392_060_000), EventTime(1_795_392_360_000));
    let doubts = vec![
        Doubt { lost, at: Offset(70), after, until },
        Doubt { lost: Lost { partition: Partition(2), ..lost }, at: Offset(88), after: EventTime::NEVER, until: after },
    ];
    let progress = CollectorProgress { doubts, ..published() };
    let cases =
        [("publish-progress-v4.txt", None, None), ("publish-progress-v4-leaving.txt", Some(3), Some(&progress))];
    for (name, meaning, before) in cases {
        let (progress, before) = (progress.clone(), before.cloned());
        let committed = CommittedPublish { progress, files: [None, None], meaning, before, overflow: None };
        let written = progress::encode_publish(&committed);
        let text = String::from_utf8(golden(name, written.as_bytes())?)?;
        assert_eq!(progress::decode_publish(Offset(90), &text, 3)?, committed, "{name}");
        assert_eq!(written, text, "{name}: a format that changes needs a new version");
    }
    Ok(())
}

#[test]
fn publish_progress_of_version_3_is_read_and_written() -> Result<()> {
    let progress = CollectorProgress { published_until: EventTime(1_795_392_300_000), ..published() };
    let files = [Some("gold/a/w=20261123T101500Z-q0-00.parquet".to_owned()), None];
    let committed = CommittedPublish { progress, files, meaning: Some(3), before: Some(published()), overflow: None };
    let written = progress::encode_publish(&committed);
    let text = String::from_utf8(golden("publish-progress-v3.txt", written.as_bytes())?)?;
    assert_eq!(progress::decode_publish(Offset(90), &text, 3)?, committed);
    assert_eq!(written, text, "a format that changes needs a new version");
    Ok(())
}

fn published() -> CollectorProgress {
    CollectorProgress {
        position: Offset(90),
        anchor: Offset(71),
        published_until: EventTime(1_795_392_060_000),
        lost_until: EventTime::NEVER,
        doubts: Vec::new(),
        is_cut: false,
        sealed: vec![EventTime(1_795_392_070_000), EventTime(1_795_392_060_000), EventTime::NEVER],
        incarnations: vec![4, 1, 0],
    }
}

#[test]
fn publish_progress_of_version_1_is_read() -> Result<()> {
    let text = String::from_utf8(golden("publish-progress-v1.txt", b"")?)?;
    // That version knew no files.
    let (meaning, before, overflow) = (None, None, None);
    let expected = CommittedPublish { progress: published(), files: [None, None], meaning, before, overflow };
    assert_eq!(progress::decode_publish(Offset(90), &text, 3)?, expected);
    Ok(())
}

#[test]
fn publish_progress_of_version_2_is_read_and_written() -> Result<()> {
    let gold = "gold/revenue-5m/date=2026-11-23/w=20261123T101500Z-q0-00112233445566778899aabbccddeeff.parquet";
    let report = "dq/revenue-5m/metrics/batch_id=2-1024/report.parquet";
    let files = [gold, report].map(|file| Some(file.to_owned()));
    let lost_until = EventTime(1_795_391_760_000);
    let committed = CommittedPublish {
        progress: CollectorProgress { lost_until, ..published() },
        files,
        meaning: None,
        before: None,
        overflow: None,
    };
    let written = progress::encode_publish(&committed);
    let text = String::from_utf8(golden("publish-progress-v2.txt", written.as_bytes())?)?;
    assert_eq!(progress::decode_publish(Offset(90), &text, 3)?, committed);
    assert_eq!(written, text, "a format that changes needs a new version");
    Ok(())
}

/// What no version of this code wrote leads to a replay from the start of the log, and never to another position.
#[test]
fn foreign_progress_is_refused() {
    for text in [
        "",
        "0 1 2",
        "6 - - 0 7 5 -3 9 - - 1 1 1 0 - lost 1 2 2 3 - 0",
        "5 - - 0 7 5 -3 9 - - 1 1 1 0",
        "5 - - 0 7 5 -3 9 - - 1 1 1 0 - lost 1 2 2 3",
        "3 - - 0 7 5 -3 9 - - 1 1 1 0",
        "4 - - 0 7 5 -3 9 - - 1 1 1 0 -",
        "2 - - 0 7 5 -3 9 - - 1 1 1 0 / 1",
        "{\"version\":2}",
        "2 - - 0 7 5",
        "1 5 -3 9 - - x 1 1 0",
    ] {
        let read = progress::decode(Offset(9), text);
        let refused = matches!(&read, Err(ProgressError::OtherVersion { .. } | ProgressError::ParseField { .. }));
        assert!(refused, "'{text}' is read as {read:?}");
    }
}

/// A seal that does not say which one it follows is taken to follow on nothing that could have been told.
fn read_older_seal(name: &str, from: Sender, seal: &Seal) -> Result<()> {
    let read = Record::decode(&golden(&format!("{name}-v1.bin"), b"")?)?;
    let Content::Seal(body) = &read.content else { panic!("{name} is {read:?}") };
    ensure!((read.from, body.after) == (from, None), "{name} is {read:?}");
    assert_eq!(read_seal(body, 0)?, Seal { after: seal.until, ..seal.clone() }, "{name}");
    Ok(())
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
            Emission::Report(report) => (format!("report-{}", kinds[2]), {
                Content::Report(report_body(report, &domain.plan, &domain.program))
            }),
        };
        kinds[usize::from(!matches!(emission, Emission::Partial(_)))
            + usize::from(matches!(emission, Emission::Report(_)))] += 1;
        let record = Record { from, content };
        if let Emission::Seal(seal) = &emission {
            read_older_seal(&name, from, seal)?;
        }
        // Seals say since then which one they follow; who does not know that reads them as before.
        let version = if matches!(emission, Emission::Seal(_)) { "v1-after" } else { "v1" };
        let bytes = golden(&format!("{name}-{version}.bin"), &record.encode()?)?;
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
    read_and_write_losses(from)?;
    let fence = golden("fence-v1.bin", &Record { from, content: Content::Fence }.encode()?)?;
    assert_eq!(Record::decode(&fence)?, Record { from, content: Content::Fence });
    read_and_write_pieces(from)
}

/// A record that is larger than a message may be.
fn read_and_write_pieces(from: Sender) -> Result<()> {
    let header = PartialHeader { start: 0, end: 300_000, part: 0, digest: "5c".repeat(16) };
    let record = Record { from, content: Content::Partial(header, (0..=255).cycle().take(600).collect()) };
    let mut joiner = Joiner::default();
    let mut whole = None;
    for (number, piece) in split(&record, LEAST)?.iter().enumerate() {
        let kept = golden(&format!("piece-{number}-v1.bin"), piece)?;
        ensure!(kept == *piece, "pieces that are cut otherwise need a new version");
        ensure!(whole.is_none(), "more pieces than are needed");
        whole = joiner.take(number as i64, &kept)?;
    }
    ensure!(whole == Some(record), "the pieces give {whole:?}");
    Ok(())
}

/// What tells of a loss, and a seal that names it.
fn read_and_write_losses(from: Sender) -> Result<()> {
    let (after, until) = (EventTime(1_795_392_000_000), EventTime(1_795_392_300_000));
    let lost: Vec<Loss> = losses().into_iter().map(|loss| Loss { over: false, ..loss }).collect();
    for (name, loss) in ["loss-bounded", "loss-unbounded"].into_iter().zip(&lost) {
        let record = Record { from, content: Content::Loss(loss_body(loss)) };
        let bytes = golden(&format!("{name}-v1.bin"), &record.encode()?)?;
        ensure!(Record::decode(&bytes)? == record && bytes == record.encode()?, "{name}: needs a new version");
        let Content::Loss(body) = Record::decode(&bytes)?.content else { panic!("{name} is no loss") };
        assert_eq!(read_loss(&body), *loss);
    }
    let seal = Seal { after, until, at: Offset(1300), closed: Vec::new(), lost };
    let record = Record { from, content: Content::Seal(seal_body(&seal, 0)) };
    let bytes = golden("seal-lost-v1.bin", &record.encode()?)?;
    ensure!(bytes == record.encode()?, "the seal needs a new version");
    let Content::Seal(body) = Record::decode(&bytes)?.content else { panic!("this is no seal") };
    assert_eq!(read_seal(&body, 0)?, seal);
    Ok(())
}

const CHECKPOINT: &str = "checkpoint-v1";
/// Where in the sample's log the checkpoint was taken.
const TAKEN_AT: i64 = 8;

/// A volume that holds the kept checkpoint, and what its newest manifest says it is of.
fn kept_checkpoint() -> Result<(TempDir, Identity)> {
    let kept = path(CHECKPOINT);
    if !kept.exists() && std::env::var_os("SLUICE_WRITE_GOLDEN").is_some() {
        write_checkpoint(&kept)?;
    }
    let folder = tempfile::tempdir()?;
    let inside = format!("{}/0", "0".repeat(32));
    fs::create_dir_all(folder.path().join(&inside))?;
    for entry in fs::read_dir(kept.join(&inside)).with_context(|| format!("read '{}'", kept.display()))? {
        let name = entry?.file_name();
        fs::copy(kept.join(&inside).join(&name), folder.path().join(&inside).join(&name))?;
    }
    let manifest = Manifest::decode(&fs::read(folder.path().join(&inside).join("manifest-2"))?)?;
    Ok((folder, manifest.identity))
}

/// Two checkpoints, the second on top of the first.
fn write_checkpoint(to: &Path) -> Result<()> {
    let (domain, mut lane) = sample_lane(4);
    let identity = Identity {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        topic: "0".repeat(32),
        partition: 0,
        revision: 1,
        program: domain.program.fingerprint(),
    };
    let mut keeper = Keeper::open(Arc::new(LocalVolume::new(to)), identity);
    keeper.save(&mut lane)?.context("a lane that is not replaying")?;
    sample_rest(&mut lane, TAKEN_AT);
    keeper.save(&mut lane)?.context("a lane that is not replaying")?;
    Ok(())
}

/// What an undisturbed lane says from there on.
fn rest() -> (Progress, Vec<Emission>) {
    let mut undisturbed = sample_lane(TAKEN_AT).1;
    let progress = undisturbed.progress();
    (progress, sample_rest(&mut undisturbed, i64::MAX))
}

/// A lane that begins at the kept checkpoint goes on as if it had read everything itself. A version whose form or engine is another
/// refuses it.
#[test]
fn a_checkpoint_of_version_1_is_read() -> Result<()> {
    let (folder, identity) = kept_checkpoint()?;
    ensure!(
        identity.format == FORMAT,
        "a form that changes needs new files beside these, and a test that these are refused"
    );
    let (progress, wanted) = rest();
    let program = sample_lane(0).0.program.clone();
    let mut keeper = Keeper::open(Arc::new(LocalVolume::new(folder.path())), identity);
    let mut lane = keeper.load(&program, &progress).context("the checkpoint is not used")?;
    assert_eq!((lane.position(), lane.progress()), (Offset(TAKEN_AT), progress));
    assert_eq!(sample_rest(&mut lane, i64::MAX), wanted);
    Ok(())
}

/// Of another form, engine, program or topic, or with fields that nobody knows: it is removed, and the partition rebuilt from the log.
#[test]
fn a_checkpoint_of_an_unknown_version_is_refused() -> Result<()> {
    let of_form_2 = |identity: &mut Identity| identity.format = FORMAT + 1;
    let of_engine = |identity: &mut Identity| identity.engine = "99.0.0".to_owned();
    let of_program = |identity: &mut Identity| identity.program = "another".to_owned();
    let changes: [&dyn Fn(&mut Identity); 3] = [&of_form_2, &of_engine, &of_program];
    for change in changes {
        let (folder, identity) = kept_checkpoint()?;
        let inside = folder.path().join(&identity.topic).join("0");
        for name in ["manifest-1", "manifest-2"] {
            let mut manifest = Manifest::decode(&fs::read(inside.join(name))?)?;
            change(&mut manifest.identity);
            fs::write(inside.join(name), manifest.encode()?)?;
        }
        expect_replay(&folder, identity)?;
    }
    let (folder, identity) = kept_checkpoint()?;
    let inside = folder.path().join(&identity.topic).join("0");
    for name in ["manifest-1", "manifest-2"] {
        fs::write(inside.join(name), "{\"form\":2}\n")?;
    }
    expect_replay(&folder, identity)
}

fn expect_replay(folder: &TempDir, identity: Identity) -> Result<()> {
    let (progress, wanted) = rest();
    let program = sample_lane(0).0.program.clone();
    let inside = folder.path().join(&identity.topic).join("0");
    let mut keeper = Keeper::open(Arc::new(LocalVolume::new(folder.path())), identity);
    ensure!(keeper.load(&program, &progress).is_none(), "it is used");
    ensure!(fs::read_dir(inside)?.next().is_none(), "it is removed");
    let mut lane = Lane::resume(program, &progress)?;
    assert_eq!(sample_rest(&mut lane, i64::MAX), wanted);
    Ok(())
}
