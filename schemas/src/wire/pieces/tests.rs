//! The law of the splitter: no message above the limit, and together they say the same.

use super::*;
use crate::wire::{ClosedBody, PartialHeader, SealBody};

const FROM: Sender = Sender { partition: 2, incarnation: 7, revision: 1 };

fn partial(length: usize) -> Record {
    let header = PartialHeader { start: 0, end: 300, part: 0, digest: "ab".repeat(16) };
    let rows = (0..length).map(|at| (at * at % 251) as u8).collect();
    Record { from: FROM, content: Content::Partial(header, rows) }
}

fn of(record: &Record, incarnation: u64) -> Record {
    Record { from: Sender { incarnation, ..record.from }, content: record.content.clone() }
}

/// What a reader of these messages is given, with the place where each is whole.
fn read(joiner: &mut Joiner, values: &[Vec<u8>]) -> Vec<(usize, Record)> {
    let take = |(at, value): (usize, &Vec<u8>)| Some((at, joiner.take(at as i64, value).expect("it fits")?));
    values.iter().enumerate().filter_map(take).collect()
}

#[test]
fn no_message_is_above_the_limit_and_together_they_say_the_same() {
    let closed = |number: i64| ClosedBody {
        start: number * 300,
        end: number * 300 + 300,
        parts: 1,
        records: 7,
        first_offset: number,
        end_offset: number + 9,
        digest: "0f".repeat(16),
    };
    let closed = (0..11_500).map(closed).collect();
    let seal = SealBody { after: Some(i64::MIN), until: 3_450_000, at: 99_999, closed, lost: Vec::new() };
    let seal = Record { from: FROM, content: Content::Seal(seal) };
    for record in [partial(0), partial(700), partial(2000), partial(70_001), seal] {
        let length = record.encode().expect("encodes").len();
        for most in [LEAST, LEAST + 1, 5000, 65_000, length - 1, length, length + 1] {
            let values = split(&record, most).expect("encodes");
            assert!(values.iter().all(|value| value.len() <= most.max(LEAST)), "{length} bytes in {most}");
            assert_eq!(values.len() == 1, length <= most.max(LEAST));
            let mut joiner = Joiner::default();
            assert_eq!(read(&mut joiner, &values), [(values.len() - 1, record.clone())], "{length} bytes in {most}");
            assert_eq!(joiner.open().count(), 0);
        }
    }
}

#[test]
fn a_record_without_one_of_its_pieces_is_never_given() {
    let values = split(&partial(5000), LEAST).expect("encodes");
    assert!(values.len() > 4);
    for missing in 0..values.len() {
        let mut joiner = Joiner::default();
        let left = values.iter().enumerate().filter(|(at, _)| *at != missing);
        for (at, value) in left {
            assert!(!matches!(joiner.take(at as i64, value), Ok(Some(_))), "without piece {missing}");
        }
    }
}

#[test]
fn what_is_sent_again_or_lies_between_changes_nothing() {
    let (one, other) = (partial(3000), Record { from: Sender { partition: 3, ..FROM }, ..partial(4000) });
    let (ones, others) = (split(&one, LEAST).expect("encodes"), split(&other, LEAST + 300).expect("encodes"));
    let fence = Record { from: FROM, content: Content::Fence };
    let mut values = vec![ones[0].clone(), others[0].clone(), fence.encode().expect("encodes")];
    values.extend([ones[1].clone(), ones[1].clone(), ones[0].clone()]);
    values.extend(ones[1..].iter().cloned());
    values.extend(others[1..].iter().cloned());
    let given: Vec<Record> = read(&mut Joiner::default(), &values).into_iter().map(|(_, record)| record).collect();
    assert_eq!(given, [fence, one, other]);
}

#[test]
fn a_half_sent_record_is_dropped_with_the_next_owner_and_holds_its_place_until_then() {
    let values = split(&partial(3000), LEAST).expect("encodes");
    let fence = Record { from: Sender { incarnation: 8, ..FROM }, content: Content::Fence };
    let mut joiner = Joiner::default();
    assert_eq!(joiner.take(5, &values[0]).expect("fits"), None);
    assert_eq!(joiner.open().collect::<Vec<_>>(), [(FROM, 5)]);
    assert_eq!(joiner.take(6, &fence.encode().expect("encodes")).expect("fits"), Some(fence));
    assert_eq!(joiner.open().count(), 0);
    for (at, value) in values.iter().enumerate().skip(1) {
        assert_eq!(joiner.take(at as i64, value).expect("passed over"), None, "the rest arrives late");
    }
    let again = of(&partial(3000), 8);
    let given = read(&mut joiner, &split(&again, 2 * LEAST).expect("encodes"));
    assert_eq!(given.last().map(|(_, record)| record), Some(&again), "cut otherwise the second time");
}

#[test]
fn an_earlier_owner_does_not_disturb_its_successor() {
    let (old, new) = (split(&partial(3000), LEAST), split(&of(&partial(3000), 8), LEAST));
    let (old, new) = (old.expect("encodes"), new.expect("encodes"));
    let mut values = vec![new[0].clone()];
    values.extend(old);
    values.extend(new[1..].iter().cloned());
    let given = read(&mut Joiner::default(), &values);
    assert_eq!(given, [(values.len() - 1, of(&partial(3000), 8))]);
}

#[test]
fn pieces_that_lie_are_refused() {
    let header = |piece, pieces, bytes| PieceHeader { piece, pieces, bytes, digest: "00".repeat(16) };
    let value = |header: PieceHeader, bytes: &[u8]| {
        Record { from: FROM, content: Content::Piece(header, bytes.to_vec()) }.encode().expect("encodes")
    };
    let inner = split(&partial(1500), LEAST).expect("encodes").remove(0);
    let nested = PieceHeader { piece: 0, pieces: 1, bytes: inner.len() as u64, digest: digest(&inner) };
    let whole = Record { from: Sender { partition: 3, ..FROM }, content: Content::Fence }.encode().expect("encodes");
    let foreign = PieceHeader { piece: 0, pieces: 1, bytes: whole.len() as u64, digest: digest(&whole) };
    for lie in [
        value(header(1, 1, 5), b"x"),
        value(header(0, 0, 5), b"x"),
        value(header(0, 6, 5), b"x"),
        value(header(0, 1, MOST_JOINED + 1), b"x"),
        value(header(0, 1, 1), b"x"),
        value(header(0, 2, 5), b""),
        value(header(0, 2, 5), b"123456"),
        value(nested, &inner),
        value(foreign, &whole),
    ] {
        let mut joiner = Joiner::default();
        assert!(joiner.take(0, &lie).is_err());
        assert_eq!(joiner.open().count(), 0);
    }
}
