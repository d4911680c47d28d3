//! Values that no window can carry: a grouping value, or a text that a measure would keep, above a mebibyte.
//!
//! A window's state goes through messages, files and memory of a bounded size, and one record must not be able to fill them. The bound is
//! a constant: what a broker takes may change, a verdict may not.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;

use crate::argument::{Argument, Values};

/// Most bytes of one grouping value, and of one text that a measure keeps.
pub const MOST_VALUE: usize = 1024 * 1024;

/// The rows that have such a value; `None` means none has.
pub(crate) fn oversize(groups: &[ArrayRef], arguments: &[Argument]) -> Option<BooleanBuffer> {
    let grouping = groups.iter().filter_map(|group| match group.data_type() {
        DataType::Utf8 => longer(group.as_string::<i32>().value_offsets()),
        DataType::Binary => longer(group.as_binary::<i32>().value_offsets()),
        _ => None,
    });
    let kept = arguments.iter().filter_map(|argument| {
        let Values::Text(texts) = &argument.values else { return None };
        let longer = longer(texts.value_offsets())?;
        Some(argument.folded.as_ref().map_or_else(|| longer.clone(), |folded| &longer & folded))
    });
    let rows = grouping.chain(kept).reduce(|all, next| &all | &next)?;
    (rows.count_set_bits() > 0).then_some(rows)
}

/// The rows whose value is longer than allowed, by the ends of the values.
fn longer(ends: &[i32]) -> Option<BooleanBuffer> {
    let all = ends.last().zip(ends.first()).map_or(0, |(last, first)| last - first);
    let length = |range: &[i32]| (range[1] - range[0]) as usize;
    (all as usize > MOST_VALUE).then(|| ends.windows(2).map(|range| length(range) > MOST_VALUE).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_value_of_a_mebibyte_passes_and_one_byte_more_does_not() {
        let (most, more) = ("a".repeat(MOST_VALUE), "b".repeat(MOST_VALUE + 1));
        let texts = StringArray::from(vec![Some(most.as_str()), Some(&more), None, Some("c")]);
        let bytes = BinaryArray::from(vec![Some(most.as_bytes()), Some(b"d"), Some(more.as_bytes()), None]);
        let groups: [ArrayRef; 3] =
            [Arc::new(texts.clone()), Arc::new(bytes), Arc::new(Int64Array::from(vec![1, 2, 3, 4]))];
        let rows = |found: Option<BooleanBuffer>| found.map(|found| found.iter().collect::<Vec<_>>());
        assert_eq!(rows(oversize(&groups, &[])), Some(vec![false, true, true, false]));
        assert_eq!(rows(oversize(&groups[2..], &[])), None);
        let folded = |folded| Argument { values: Values::Text(texts.clone()), folded, without: None };
        assert_eq!(rows(oversize(&[], &[folded(None)])), Some(vec![false, true, false, false]));
        let others = BooleanBuffer::from(vec![true, false, true, true]);
        assert_eq!(rows(oversize(&[], &[folded(Some(others))])), None, "the measure does not keep it");
    }
}
