//! SQL: syntax, names, types, what a stream cannot promise.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn expressions() {
    refused(&[
        (
            "/spec/filter",
            json!("amount"),
            &[
                "SL0305 spec.filter: the filter is a decimal(12, 2), not a condition (allowed is an expression that is true or false, for example a comparison) at «amount»",
            ],
        ),
        (
            "/spec/filter",
            json!("region = 'us' and"),
            &["SL0301 spec.filter: the filter does not parse: expected: an expression, found: EOF at «»"],
        ),
        (
            "/spec/filter",
            json!("region = 'us"),
            &["SL0301 spec.filter: the filter does not parse: unterminated string literal at «'»"],
        ),
        (
            "/spec/filter",
            json!("regoin = 'us'"),
            &["SL0302 spec.filter: the schema has no field 'regoin' (did you mean 'region'?) at «regoin»"],
        ),
        (
            "/spec/filter",
            json!("regoin = 'us' and amuont > 0"),
            &[
                "SL0302 spec.filter: the schema has no field 'regoin' (did you mean 'region'?) at «regoin»",
                "SL0302 spec.filter: the schema has no field 'amuont' (did you mean 'amount'?) at «amuont»",
            ],
        ),
        ("/spec/filter", json!(""), &["SL0301 spec.filter: the filter does not parse: it is empty at «»"]),
        (
            "/spec/filter",
            json!("region = 'us' region"),
            &["SL0301 spec.filter: the filter does not parse: expected its end, found: region at «region»"],
        ),
        (
            "/spec/filter",
            json!("amount > 0\n  and )"),
            &["SL0301 spec.filter: the filter does not parse: expected: an expression, found: ) at «)»"],
        ),
        (
            "/spec/filter",
            json!("count(*) > 1"),
            &[
                "SL0306 spec.filter: aggregate 'count' cannot stand inside the filter (allowed are aggregates as a whole measure only) at «count»",
            ],
        ),
        (
            "/spec/filter",
            json!("1"),
            &[
                "SL0305 spec.filter: the filter is a long, not a condition (allowed is an expression that is true or false, for example a comparison) at «1»",
            ],
        ),
        (
            "/spec/filter",
            json!("null"),
            &[
                "SL0305 spec.filter: the filter is a null, not a condition (allowed is an expression that is true or false, for example a comparison) at «null»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "plan_tier > 5"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot compare 'plan_tier' (string) and 5 (long) (allowed are types of one kind; convert with cast(… as …)) at «plan_tier»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region = amount"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot compare 'region' (string) and 'amount' (decimal(12, 2)) (allowed are types of one kind; convert with cast(… as …)) at «region»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region + 1 > 2"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot calculate with 'region' (string) and 1 (long) (allowed are types of one kind; convert with cast(… as …)) at «region»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount in (1, 'x')"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot compare 'amount' (decimal(12, 2)) and 'x' (string) (allowed are types of one kind; convert with cast(… as …)) at «amount»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount between 'a' and 2"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot compare 'amount' (decimal(12, 2)) and 'a' (string) (allowed are types of one kind; convert with cast(… as …)) at «amount»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount like '1%'"}),
            &[
                "SL0304 spec.quality.rules[1].expression: 'amount' is a decimal(12, 2), not a string (patterns are matched against strings) at «amount»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region and true"}),
            &[
                "SL0304 spec.quality.rules[1].expression: 'region' is a string, not a condition (allowed between 'and', 'or' and 'not' are conditions) at «region»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "not amount"}),
            &[
                "SL0304 spec.quality.rules[1].expression: 'amount' is a decimal(12, 2), not a condition (allowed between 'and', 'or' and 'not' are conditions) at «amount»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "now() > event_time"}),
            &[
                "SL0307 spec.quality.rules[1].expression: function 'now' gives another value each time it is called (allowed are functions of the record's fields only) at «now»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "current_timestamp > event_time"}),
            &[
                "SL0307 spec.quality.rules[1].expression: function 'current_timestamp' gives another value each time it is called (allowed are functions of the record's fields only) at «current_timestamp»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "random() < 0.5"}),
            &[
                "SL0307 spec.quality.rules[1].expression: function 'random' gives another value each time it is called (allowed are functions of the record's fields only) at «random»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "lenght(region) > 1"}),
            &[
                "SL0303 spec.quality.rules[1].expression: there is no function 'lenght' (did you mean 'length'?) at «lenght»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "sqrt(amount) > 1"}),
            &[
                "SL0303 spec.quality.rules[1].expression: there is no function 'sqrt' (allowed are 'abs', 'btrim', 'ceil', 'char_length', 'character_length', 'coalesce', 'concat', 'concat_ws', 'contains', 'date_part', 'date_trunc', 'ends_with', 'floor', 'greatest', 'least', 'left', 'length', 'lower', 'ltrim', 'nullif', 'nvl', 'octet_length', 'regexp_count', 'regexp_like', 'regexp_replace', 'replace', 'reverse', 'right', 'round', 'rtrim', 'signum', 'split_part', 'starts_with', 'strpos', 'substr', 'substring', 'trim', 'trunc', 'upper') at «sqrt»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "length(region, 2) > 1"}),
            &[
                "SL0304 spec.quality.rules[1].expression: 'character_length' has 2 arguments (allowed is 1) at «length(region, 2) > 1»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount > (select 1)"}),
            &[
                "SL0308 spec.quality.rules[1].expression: a subquery cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «select 1»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region = $1"}),
            &[
                "SL0308 spec.quality.rules[1].expression: a parameter cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «$1»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "sum(amount) > 0"}),
            &[
                "SL0306 spec.quality.rules[1].expression: aggregate 'sum' cannot stand inside the rule (allowed are aggregates as a whole measure only) at «sum»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region.code = 'x'"}),
            &[
                "SL0308 spec.quality.rules[1].expression: a nested field cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «region.code»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region ~ plan_tier"}),
            &[
                "SL0308 spec.quality.rules[1].expression: the pattern of '~' is not a literal (allowed is a literal) at «plan_tier»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region ~ 'a('"}),
            &[
                "SL0405 spec.quality.rules[1].expression: the pattern cannot be read: unclosed group (allowed are regular expressions without look-around and back-references) at «'a('»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "regexp_like(region, '[')"}),
            &[
                "SL0405 spec.quality.rules[1].expression: the pattern cannot be read: unclosed character class (allowed are regular expressions without look-around and back-references) at «'['»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "split_part(region, 'a', 0) = 'x'"}),
            &[
                "SL0304 spec.quality.rules[1].expression: field position must not be zero at «split_part(region, 'a', 0) = 'x'»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "date_trunc('fortnight', event_time) = event_time"}),
            &[
                "SL0304 spec.quality.rules[1].expression: a time cannot be cut to 'fortnight' (allowed are microsecond, millisecond, second, minute, hour, day, week, month, quarter, year) at «date_trunc('fortnight', event_time) = event_time»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "event_time > 'soon'"}),
            &[
                "SL0304 spec.quality.rules[1].expression: 'soon' is not a time (allowed is, for example, '2026-11-23T10:15:00Z') at «event_time > 'soon'»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "row_number() over () > 1"}),
            &[
                "SL0303 spec.quality.rules[1].expression: there is no function 'row_number' (allowed are 'abs', 'btrim', 'ceil', 'char_length', 'character_length', 'coalesce', 'concat', 'concat_ws', 'contains', 'date_part', 'date_trunc', 'ends_with', 'floor', 'greatest', 'least', 'left', 'length', 'lower', 'ltrim', 'nullif', 'nvl', 'octet_length', 'regexp_count', 'regexp_like', 'regexp_replace', 'replace', 'reverse', 'right', 'round', 'rtrim', 'signum', 'split_part', 'starts_with', 'strpos', 'substr', 'substring', 'trim', 'trunc', 'upper') at «row_number»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount at time zone 'x' > 1"}),
            &[
                "SL0308 spec.quality.rules[1].expression: 'amount AT TIME ZONE 'x'' cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «amount at time zone 'x'»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "region || 1"}),
            &[
                "SL0305 spec.quality.rules[1].expression: the rule is a string, not a condition (allowed is an expression that is true or false, for example a comparison) at «region || 1»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "event_time + 1 > event_time"}),
            &[
                "SL0304 spec.quality.rules[1].expression: cannot calculate with 'event_time' (timestamp in milliseconds) and 1 (long) (allowed are types of one kind; convert with cast(… as …)) at «event_time»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "[1,2] = amount"}),
            &[
                "SL0308 spec.quality.rules[1].expression: '[1, 2]' cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «1,2»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "amount >> 1 = 0"}),
            &[
                "SL0308 spec.quality.rules[1].expression: the operator '>>' cannot be used in the rule (allowed are the schema's fields, literals, operators and functions) at «amount»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "expression": "Region = 'us'"}),
            &[
                "SL0302 spec.quality.rules[1].expression: the schema has no field 'Region' (did you mean 'region'?) at «Region»",
            ],
        ),
    ]);
}
