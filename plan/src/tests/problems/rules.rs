//! Data-quality rules.

use serde_json::json;

use super::refused;

#[test]
#[allow(clippy::too_many_lines)]
fn rules() {
    refused(&[
        (
            "/spec/quality/rules/1",
            json!({"name": "r"}),
            &[
                "SL0401 spec.quality.rules[1]: the rule checks nothing (allowed is exactly one of 'required', 'oneOf', bounds ('min', 'max', 'exclusiveMin', 'exclusiveMax'), 'matches', 'maxLatency', 'expression', 'unique' and 'volume')",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "required": ["region"], "oneOf": ["x"], "field": "region"}),
            &[
                "SL0401 spec.quality.rules[1].oneOf: the rule has both 'required' and 'oneOf' (allowed is exactly one of 'required', 'oneOf', bounds ('min', 'max', 'exclusiveMin', 'exclusiveMax'), 'matches', 'maxLatency', 'expression', 'unique' and 'volume')",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "oneOf": ["x"]}),
            &["SL0402 spec.quality.rules[1]: a rule with 'oneOf' needs a 'field' (allowed is one field of the schema)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "required": ["region"], "field": "region"}),
            &["SL0402 spec.quality.rules[1].field: a rule with 'required' has no 'field' (remove it)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "min": 1, "exclusiveMin": 0, "field": "amount"}),
            &[
                "SL0401 spec.quality.rules[1].exclusiveMin: the rule has both 'min' and 'exclusiveMin' (allowed is one of them)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "plan", "oneOf": ["x"]}),
            &[
                "SL0203 spec.quality.rules[1].field: the schema has no field 'plan' (allowed are 'event_id', 'event_type', 'event_time', 'ingest_time', 'schema_version', 'account_id', 'user_id', 'plan_tier', 'region', 'currency', 'amount')",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "plan_teir", "oneOf": ["x"]}),
            &["SL0203 spec.quality.rules[1].field: the schema has no field 'plan_teir' (did you mean 'plan_tier'?)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "required": ["region", "amont"]}),
            &["SL0203 spec.quality.rules[1].required[1]: the schema has no field 'amont' (did you mean 'amount'?)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "required": []}),
            &["SL0501 spec.quality.rules[1].required: 'required' is empty (allowed is at least a field of the schema)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "region", "oneOf": []}),
            &["SL0501 spec.quality.rules[1].oneOf: 'oneOf' is empty (allowed is at least a value)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "min": "0.005"}),
            &[
                "SL0403 spec.quality.rules[1].min: '0.005' does not fit field 'amount', a decimal(12, 2) (allowed are numbers with at most 10 digits before and 2 after the point)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "min": "ten"}),
            &[
                "SL0403 spec.quality.rules[1].min: 'ten' does not fit field 'amount', a decimal(12, 2) (allowed are numbers with at most 10 digits before and 2 after the point)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "max": "99999999999"}),
            &[
                "SL0403 spec.quality.rules[1].max: '99999999999' does not fit field 'amount', a decimal(12, 2) (allowed are numbers with at most 10 digits before and 2 after the point)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "schema_version", "oneOf": ["1", "two"]}),
            &[
                "SL0403 spec.quality.rules[1].oneOf[1]: 'two' does not fit field 'schema_version', an int (allowed are whole numbers from -2147483648 to 2147483647)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "schema_version", "min": "5000000000"}),
            &[
                "SL0403 spec.quality.rules[1].min: '5000000000' does not fit field 'schema_version', an int (allowed are whole numbers from -2147483648 to 2147483647)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "region", "min": "a"}),
            &[
                "SL0204 spec.quality.rules[1].field: a bound does not fit field 'region', a string (allowed is a number, date or timestamp)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "matches": "a"}),
            &[
                "SL0204 spec.quality.rules[1].field: 'matches' does not fit field 'amount', a decimal(12, 2) (allowed is a string)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "region", "matches": "a(b"}),
            &[
                "SL0405 spec.quality.rules[1].matches: the pattern cannot be read: unclosed group (allowed are regular expressions without look-around and back-references) at «(»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "region", "matches": "(?=a)"}),
            &[
                "SL0405 spec.quality.rules[1].matches: the pattern cannot be read: look-around, including look-ahead and look-behind, is not supported (allowed are regular expressions without look-around and back-references) at «(?=»",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "unique": "account_id", "onViolation": "Report"}),
            &[
                "SL0402 spec.quality.rules[1].unique: 'account_id' is not the source's 'eventId' (allowed is 'event_id': ids are what duplicates are known by)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "unique": "event_id"}),
            &[
                "SL0402 spec.quality.rules[1].onViolation: a duplicate is not counted and is no dead letter (allowed is 'Report')",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "volume": {"minPercent": 101, "maxPercent": 99, "batches": 0}}),
            &[
                "SL0502 spec.quality.rules[1].volume.minPercent: 101 percent of the median are more than the median itself (allowed is at most 100)",
                "SL0502 spec.quality.rules[1].volume.maxPercent: 99 percent of the median are less than the median itself (allowed is at least 100)",
                "SL0502 spec.quality.rules[1].volume.batches: there is no median of no batches (allowed is at least 1)",
                "SL0402 spec.quality.rules[1].onViolation: a batch is no record that could be refused (allowed is 'Report')",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "volume": {}, "onViolation": "Report"}),
            &[
                "SL0501 spec.quality.rules[1].volume: 'volume' has no limit (allowed is 'minPercent', 'maxPercent', or both)",
            ],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "min": "5", "max": "4"}),
            &["SL0404 spec.quality.rules[1].max: no value is both at least 5 and at most 4 (raise it)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "amount", "min": "5", "exclusiveMax": "5"}),
            &["SL0404 spec.quality.rules[1].exclusiveMax: no value is both at least 5 and less than 5 (raise it)"],
        ),
        (
            "/spec/quality/rules/1",
            json!({"name": "r", "field": "event_time", "min": "yesterday"}),
            &[
                "SL0403 spec.quality.rules[1].min: 'yesterday' does not fit field 'event_time', a timestamp in milliseconds (allowed is a UTC time, for example '2026-11-23T10:15:00Z')",
            ],
        ),
    ]);
}
