//! Groups: each distinct combination of grouping values gets a number; its canonical bytes decide every order.
//!
//! The bytes are those of the Arrow row format, whose lexicographic order is the order of the values, nulls first.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::DataType;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Error;

/// Numbers groups in the order of their first appearance. Numbers are local; they never reach an output.
pub(crate) struct GroupIndex {
    converter: RowConverter,
    rows: Rows,
    table: HashTable<u32>,
    keys: Vec<Key>,
    columns: usize,
}

struct Key {
    hash: u64,
    bytes: Box<[u8]>,
}

impl GroupIndex {
    pub(crate) fn new(types: &[DataType]) -> Result<Self, Error> {
        let fields = types.iter().map(|kind| SortField::new(kind.clone())).collect();
        let converter = RowConverter::new(fields).map_err(Error::arrow("compare the grouping columns"))?;
        let rows = converter.empty_rows(0, 0);
        Ok(Self { converter, rows, table: HashTable::new(), keys: Vec::new(), columns: types.len() })
    }

    /// The number of each row's group.
    pub(crate) fn number(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>, Error> {
        if self.columns == 0 {
            if self.keys.is_empty() {
                self.keys.push(Key { hash: 0, bytes: Box::default() });
            }
            return Ok(vec![0; rows]);
        }
        self.rows.clear();
        self.converter.append(&mut self.rows, columns).map_err(Error::arrow("compare the grouping columns"))?;
        let (table, keys) = (&mut self.table, &mut self.keys);
        Ok(self.rows.iter().map(|row| number(table, keys, row.data())).collect())
    }

    /// How many groups have a number.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The canonical bytes of a group.
    pub(crate) fn bytes(&self, group: u32) -> &[u8] {
        &self.keys[group as usize].bytes
    }

    /// The grouping columns of groups given by their bytes, in that order.
    pub(crate) fn columns<'a>(&self, groups: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, Error> {
        if self.columns == 0 {
            return Ok(Vec::new());
        }
        let parser = self.converter.parser();
        let rows = groups.map(|bytes| parser.parse(bytes)).collect::<Vec<_>>();
        self.converter.convert_rows(rows).map_err(Error::arrow("restore the grouping columns"))
    }

    /// Forgets all groups but `keep`, which are numbered anew; gives the new number of each old one.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) -> Vec<Option<u32>> {
        self.table.clear();
        let old = std::mem::take(&mut self.keys);
        old.into_iter()
            .zip(0..)
            .map(|(key, group)| keep(group).then(|| number(&mut self.table, &mut self.keys, &key.bytes)))
            .collect()
    }
}

/// A grouping column in which equal numbers have the same bytes: -0.0 is 0.0, and whatever is no number is one value.
pub(crate) fn one_zero(column: ArrayRef) -> ArrayRef {
    fn map<T: ArrowPrimitiveType>(column: &ArrayRef, value: impl Fn(T::Native) -> T::Native) -> ArrayRef {
        Arc::new(column.as_primitive::<T>().unary::<_, T>(value))
    }
    match column.data_type() {
        DataType::Float32 => map::<Float32Type>(&column, |value| if value.is_nan() { f32::NAN } else { value + 0.0 }),
        DataType::Float64 => map::<Float64Type>(&column, |value| if value.is_nan() { f64::NAN } else { value + 0.0 }),
        _ => column,
    }
}

#[inline]
fn number(table: &mut HashTable<u32>, keys: &mut Vec<Key>, bytes: &[u8]) -> u32 {
    let hash = xxh3_64(bytes);
    let same = |group: &u32| {
        let key = &keys[*group as usize];
        key.hash == hash && *key.bytes == *bytes
    };
    if let Some(group) = table.find(hash, same) {
        return *group;
    }
    let group = keys.len() as u32;
    keys.push(Key { hash, bytes: bytes.into() });
    table.insert_unique(hash, group, |group| keys[*group as usize].hash);
    group
}

/// The output (partition of the partials topic) to which a group belongs.
pub(crate) fn output_of(bytes: &[u8], outputs: u32) -> u32 {
    if outputs <= 1 { 0 } else { (xxh3_64(bytes) % u64::from(outputs)) as u32 }
}
