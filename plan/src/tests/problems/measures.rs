//! Measures: one aggregate each.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn measures() {
    refused(&[
        (
            "/spec/measures/0/expression",
            json!("amount"),
            &[
                "SL0306 spec.measures[0].expression: the measure is not an aggregate (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «amount»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(plan_tier)"),
            &[
                "SL0304 spec.measures[0].expression: cannot take the sum of field 'plan_tier', a string (allowed are numbers of at most 38 digits) at «plan_tier»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(region || 'x')"),
            &[
                "SL0304 spec.measures[0].expression: cannot take the sum of a string (allowed are numbers of at most 38 digits) at «region || 'x'»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amuont)"),
            &[
                "SL0302 spec.measures[0].expression: the schema has no field 'amuont' (did you mean 'amount'?) at «amuont»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount"),
            &["SL0301 spec.measures[0].expression: the measure does not parse: expected: ), found: EOF at «»"],
        ),
        (
            "/spec/measures/0/expression",
            json!("summ(amount)"),
            &["SL0306 spec.measures[0].expression: 'summ' is not an aggregate (did you mean 'sum'?) at «summ(amount)»"],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount) / count(*)"),
            &[
                "SL0306 spec.measures[0].expression: the measure is made of aggregates, not one (publish 'sum(amount)', 'count(*)' as a measure of its own (each, if there are several), and compute 'sum(amount) / count(*)' in the query) at «sum(amount) / count(*)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(*)"),
            &[
                "SL0306 spec.measures[0].expression: 'sum' needs one argument (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «sum(*)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum()"),
            &[
                "SL0306 spec.measures[0].expression: 'sum' needs one argument (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «sum()»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount, 2)"),
            &[
                "SL0306 spec.measures[0].expression: 'sum' needs one argument (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «sum(amount, 2)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("count(distinct region)"),
            &[
                "SL0306 spec.measures[0].expression: 'distinct' is not supported (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «count(distinct region)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(sum(amount))"),
            &[
                "SL0306 spec.measures[0].expression: aggregate 'sum' cannot stand inside the measure (allowed are aggregates as a whole measure only) at «sum»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount) filter (where region)"),
            &[
                "SL0305 spec.measures[0].expression: the measure's filter is a string, not a condition (allowed is an expression that is true or false, for example a comparison) at «region»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount) filter (where regon = 1)"),
            &[
                "SL0302 spec.measures[0].expression: the schema has no field 'regon' (did you mean 'region'?) at «regon»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount) over ()"),
            &[
                "SL0306 spec.measures[0].expression: the aggregate has a clause that is not supported (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «sum(amount) over ()»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("max(now())"),
            &[
                "SL0307 spec.measures[0].expression: function 'now' gives another value each time it is called (allowed are functions of the record's fields only) at «now»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("avg(event_time)"),
            &[
                "SL0304 spec.measures[0].expression: cannot take the avg of field 'event_time', a timestamp in milliseconds (allowed are numbers of at most 38 digits) at «event_time»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("median(amount)"),
            &[
                "SL0306 spec.measures[0].expression: 'median' is not an aggregate (allowed are 'count', 'sum', 'min', 'max', 'avg') at «median(amount)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("f(amount)"),
            &[
                "SL0306 spec.measures[0].expression: 'f' is not an aggregate (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «f(amount)»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("sum(amount) as revenue"),
            &["SL0301 spec.measures[0].expression: the measure does not parse: expected its end, found: as at «as»"],
        ),
        (
            "/spec/measures/0/expression",
            json!("min(event_time - ingest_time)"),
            &[
                "SL0304 spec.measures[0].expression: cannot take the min of an interval (allowed are numbers of at most 38 digits, strings, booleans, dates and timestamps) at «event_time - ingest_time»",
            ],
        ),
        (
            "/spec/measures/0/expression",
            json!("count(amount > 1 order by 1)"),
            &[
                "SL0306 spec.measures[0].expression: the aggregate has a clause that is not supported (allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), with an optional filter (where …)) at «count(amount > 1 order by 1)»",
            ],
        ),
    ]);
}
