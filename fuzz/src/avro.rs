//! Avro bodies: a record is a row or a reason, by its own bytes alone; its neighbours stay what they are.

use crate::record::Held;
use crate::sale::{framed, nested_sale, sale};
use crate::world::{NESTED, REVENUE, World};

/// The first byte chooses the reader (bit 0), the writer (bit 1) and the place of the record; the rest is the Avro body.
pub fn probe(data: &[u8]) {
    let Some((how, body)) = data.split_first() else { return };
    let world: &World = if how & 1 == 0 { &REVENUE } else { &NESTED };
    let writer = 1 + (how >> 1 & 1);
    let any = framed(writer, body, 10);
    let alone = world.decode(std::slice::from_ref(&any));
    assert_eq!(alone.batch.num_rows() + alone.undecodable.len(), 1);

    let good: Vec<_> = (0..3).map(|number| good(world, number)).collect();
    let untouched = world.decode(&good);
    assert_eq!((untouched.batch.num_rows(), &untouched.undecodable[..]), (3, &[][..]));
    let place = usize::from(how >> 2 & 3);
    let mut among = good;
    among.insert(place, any);
    for (offset, record) in among.iter_mut().enumerate() {
        record.offset = offset as i64;
    }
    let together = world.decode(&among);
    if let Some(bad) = alone.undecodable.first() {
        assert_eq!(together.undecodable.len(), 1);
        assert_eq!((together.undecodable[0].index, &together.undecodable[0].reason), (place, &bad.reason));
        assert_eq!(together.batch, untouched.batch);
    } else {
        assert_eq!(together.batch.slice(place, 1), alone.batch);
        assert_eq!(together.batch.slice(0, place), untouched.batch.slice(0, place));
        assert_eq!(together.batch.slice(place + 1, 3 - place), untouched.batch.slice(place, 3 - place));
    }
}

fn good(world: &World, number: i64) -> Held {
    let flat = std::ptr::eq(world, &raw const *REVENUE);
    let body = if flat { sale(number, "eu", 1_999) } else { nested_sale(number) };
    framed(1, &body, number)
}
