//! The stream as a whole: repeatable, seeded, dealt by key; and what its truth looks like on disk and in a comparison.

use super::super::{Generator, Options, OptionsError, SchemaIds, Truth, partition_of};

const IDS: SchemaIds = SchemaIds { first: 1, second: None };

/// Everything that is yielded, as one string of bytes.
fn bytes(options: &Options) -> Vec<u8> {
    let mut generator = Generator::new(options, IDS).unwrap();
    let mut all = Vec::new();
    while let Some(event) = generator.next_event() {
        all.extend_from_slice(format!("{event:?}").as_bytes());
    }
    all
}

fn seeded(seed: u64) -> Options {
    let mut options = Options::new(3_000, 3);
    options.shape.seed = seed;
    options
}

fn truth_of(options: &Options) -> Truth {
    let mut generator = Generator::new(options, IDS).unwrap();
    while generator.next_event().is_some() {}
    generator.into_truth()
}

#[test]
fn the_seed_decides_every_byte() {
    assert_eq!(bytes(&seeded(1)), bytes(&seeded(1)));
    assert_ne!(bytes(&seeded(1)), bytes(&seeded(2)));
}

#[test]
fn records_are_dealt_by_key_and_log_times_never_go_back() {
    let options = seeded(5);
    let mut generator = Generator::new(&options, IDS).unwrap();
    let mut last = options.shape.start;
    while let Some(event) = generator.next_event() {
        assert_eq!(event.partition, partition_of(event.key, 3));
        assert!(event.timestamp >= last && event.timestamp < options.end());
        last = event.timestamp;
    }
    assert!(options.end() - last <= options.shape.span / 3_000 + 1, "the span is filled");
}

#[test]
fn skew_makes_the_first_account_the_busiest() {
    let busiest = |skew: f64| {
        let mut options = seeded(1);
        options.shape.skew = skew;
        let mut generator = Generator::new(&options, IDS).unwrap();
        let mut count = 0;
        while let Some(event) = generator.next_event() {
            count += u32::from(event.key == b"acct-000000");
        }
        count
    };
    assert!(busiest(0.0) < 10);
    // Zipf's law over 10,000 accounts gives the first one 1 / H(10000), about 10 %.
    assert!((200..450).contains(&busiest(1.0)));
}

#[test]
fn a_second_version_needs_its_id() {
    let mut options = seeded(1);
    options.shape.v2 = 0.5;
    assert_eq!(Generator::new(&options, IDS).err(), Some(OptionsError::NoSecondSchema));
}

#[test]
fn no_records_and_one_record_are_fine() {
    assert_eq!(truth_of(&Options::new(0, 3)).counts().consumed, 0);
    assert_eq!(truth_of(&Options::new(1, 3)).counts().consumed, 1);
}

#[test]
fn differences_are_told_readably() {
    let truth = truth_of(&seeded(1));
    let rows: Vec<_> = truth.gold().collect();
    let tell = |rows: &[super::super::GoldRow]| -> Vec<String> {
        let actual =
            rows.iter().map(|row| (row.window_start, row.region, row.plan_tier, row.revenue_cents, row.event_count));
        truth.compare_gold(actual).iter().map(ToString::to_string).collect()
    };
    assert!(tell(&rows).is_empty());

    let mut dearer = rows.clone();
    dearer[0].revenue_cents += 1;
    let told = tell(&dearer);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("gold row 2026-11-23T05:5"), "{}", told[0]);

    assert!(tell(&rows[1..])[0].ends_with("got nothing"));

    let mut twice = rows.clone();
    twice.push(rows[0]);
    assert!(tell(&twice)[0].ends_with("(2 copies of the row)"));

    let mut elsewhere = rows;
    elsewhere[0].region = Some("nowhere");
    assert_eq!(tell(&elsewhere).len(), 2);
}

#[test]
fn lost_records_show_in_the_ledger() {
    let truth = truth_of(&seeded(1));
    let mut actual: Vec<_> =
        truth.partitions.iter().enumerate().map(|(number, ledger)| (number as u32, ledger.counts)).collect();
    assert_eq!(truth.compare_ledger(actual.clone().into_iter()), []);
    actual[2].1.late += 1;
    let told: Vec<_> = truth.compare_ledger(actual.into_iter()).iter().map(ToString::to_string).collect();
    let late = truth.partitions[2].counts.late;
    assert_eq!(told, [format!("late, partition 2: expected {late}, got {}", late + 1)]);
}

#[test]
fn the_files_hold_the_whole_truth() {
    let folder = tempfile::tempdir().unwrap();
    let truth = truth_of(&seeded(1));
    truth.write(&folder.path().join("made")).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("made").join(name)).unwrap();
    let csv = read("truth.csv");
    assert_eq!(csv.lines().count(), truth.gold().count() + 1);
    let events: u64 = csv.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(events, truth.counts().counted);
    let json: serde_json::Value = serde_json::from_str(&read("truth.json")).unwrap();
    assert_eq!(json["total"]["consumed"], 3_000);
    assert_eq!(json["options"]["shape"]["seed"], 1);
    assert_eq!(json["partitions"].as_array().unwrap().len(), 3);
}
