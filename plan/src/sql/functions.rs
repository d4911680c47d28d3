//! The functions that expressions may call: the total and deterministic ones of `DataFusion`.
//!
//! A function is listed here only when its value depends on its arguments alone, to the last bit and on every machine
//! (which rules out logarithms and the like, whose last bits are the platform's), and when no value of a record can make
//! it fail.

use std::sync::{Arc, LazyLock};

use arrow_schema::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;

/// The functions, sorted.
pub(super) const ALLOWED: &[&str] = &[
    "abs",
    "btrim",
    "ceil",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "date_part",
    "date_trunc",
    "ends_with",
    "floor",
    "greatest",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "nullif",
    "nvl",
    "octet_length",
    "regexp_count",
    "regexp_like",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "round",
    "rtrim",
    "signum",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "trim",
    "trunc",
    "upper",
];

/// Functions whose value depends on when or where they are called.
const VOLATILE: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "gen_random_uuid",
    "localtime",
    "localtimestamp",
    "now",
    "random",
    "today",
    "uuid",
    "version",
];

/// Arguments (function, position) that must be literals: patterns and the like, which fail when they are malformed.
const LITERAL_ARGUMENTS: &[(&str, usize)] = &[
    ("date_part", 0),
    ("date_trunc", 0),
    ("regexp_count", 1),
    ("regexp_count", 2),
    ("regexp_count", 3),
    ("regexp_like", 1),
    ("regexp_like", 2),
    ("regexp_replace", 1),
    ("regexp_replace", 3),
    ("split_part", 2),
];

/// The aggregates of measures.
pub(crate) const AGGREGATES: &[&str] = &["count", "sum", "min", "max", "avg"];

/// Whether a function's value could differ when it is called again.
pub(super) fn is_volatile(name: &str) -> bool {
    VOLATILE.contains(&name)
}

/// Whether the argument must be a literal.
pub(super) fn must_be_literal(name: &str, position: usize) -> bool {
    LITERAL_ARGUMENTS.contains(&(name, position))
}

/// What `SqlToRel` may resolve names to: these functions and nothing else.
pub(super) fn provider() -> &'static Provider {
    static PROVIDER: LazyLock<Provider> = LazyLock::new(Provider::new);
    &PROVIDER
}

pub(super) struct Provider {
    functions: Vec<Arc<ScalarUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Provider {
    fn new() -> Self {
        let listed = |function: &Arc<ScalarUDF>| {
            ALLOWED.contains(&function.name())
                || function.aliases().iter().any(|alias| ALLOWED.contains(&alias.as_str()))
        };
        Self {
            functions: datafusion_functions::all_default_functions().into_iter().filter(listed).collect(),
            planners: vec![Arc::new(DatetimeFunctionPlanner), Arc::new(UnicodeFunctionPlanner)],
            options: ConfigOptions::default(),
        }
    }
}

impl ContextProvider for Provider {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("there are no tables here, found '{name}'")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == super::numbers_as_written::NUMBER {
            return Some(Arc::clone(super::numbers_as_written::function()));
        }
        let name = name.to_ascii_lowercase();
        self.functions.iter().find(|f| f.name() == name || f.aliases().contains(&name)).cloned()
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        ALLOWED.iter().map(|&name| name.to_owned()).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_function_exists_and_is_immutable() {
        for name in ALLOWED {
            let function =
                provider().get_function_meta(name).unwrap_or_else(|| panic!("'{name}' is not in DataFusion"));
            assert_eq!(function.signature().volatility, datafusion_expr::Volatility::Immutable, "{name}");
        }
    }
}
