//! Texts that would grow without end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMillisecondArray};

use crate::{compile, evaluate};

/// The longest text that a function gives.
const MOST: usize = 1 << 20;

/// Length of the text that an expression gives of `s`, and whether it is told that there is none.
fn length(sql: &str, s: &str) -> (Option<usize>, bool) {
    let (plan, _) = compile(sql).unwrap_or_else(|problems| panic!("{sql}: {problems}"));
    let columns = plan.arrow_schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "ts" => Arc::new(TimestampMillisecondArray::from(vec![0]).with_timezone("+00:00")),
            "s" => Arc::new(StringArray::from(vec![s])),
            _ => Arc::new(StringArray::from(vec!["id"])),
        }
    });
    let batch = RecordBatch::try_new(Arc::clone(&plan.arrow_schema), columns.collect()).expect("the columns fit");
    let (values, failed) = evaluate(plan.measures[0].argument.as_ref().expect("there is one"), &batch);
    let texts = values.as_string::<i32>();
    (texts.is_valid(0).then(|| texts.value(0).len()), failed.value(0))
}

#[test]
fn texts_grow_to_the_limit_and_no_further() {
    let half = "a".repeat(MOST / 2);
    let more = "a".repeat(MOST / 2 + 1);
    for sql in
        ["s || s", "concat(s, s)", "replace(s, 'a', 'aa')", "regexp_replace(s, 'a', 'aa', 'g')", "concat_ws('', s, s)"]
    {
        assert_eq!(length(sql, &half), (Some(MOST), false), "{sql}");
        assert_eq!(length(sql, &more), (None, true), "{sql}");
    }
    // U+0130 becomes two characters of three bytes together.
    assert_eq!(length("lower(s)", &"İ".repeat(MOST / 2)), (None, true));
}

#[test]
fn what_amplifies_is_not_made_while_compiling() {
    let grown = (0..6).fold("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'".to_owned(), |inner, _| {
        format!("replace({inner}, 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')")
    });
    let begun = std::time::Instant::now();
    assert_eq!(length(&grown, ""), (None, true));
    assert!(begun.elapsed().as_secs() < 20, "it takes {:?}", begun.elapsed());
}
