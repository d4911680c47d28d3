//! Grouping columns: fields of the schema, in types that compare and hash the same everywhere.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use datafusion_expr::ident;
use schemas::spec::AnalyticsPipelineSpec;

use crate::avro::Fields;
use crate::sql::{self, Lowered};
use crate::{Path, Problem, codes, types};

/// Columns that every output has.
const RESERVED: [&str; 2] = ["window_start", "window_end"];

/// A grouping column that is typed, but not yet bound.
#[derive(Debug)]
pub(crate) struct TypedGroup {
    pub(crate) name: String,
    pub(crate) value: Lowered,
    pub(crate) path: Path,
}

/// Compiles `groupBy`.
pub(crate) fn compile(
    spec: &AnalyticsPipelineSpec,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Vec<TypedGroup> {
    let path = Path::of("spec.groupBy");
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::with_capacity(spec.group_by.len());
    for (index, name) in spec.group_by.iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(name.to_lowercase()) {
            let message = format!("field '{name}' is grouped by twice");
            problems.push(Problem::new(codes::NAME_DUPLICATE, path, message).help("remove it"));
            continue;
        }
        problems.extend(reserved(name, "field", spec, &path));
        match fields.map(|fields| group(name, fields, &path)) {
            Some(Ok(group)) => compiled.push(group),
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
    }
    compiled
}

fn group(name: &str, fields: &Fields, path: &Path) -> Result<TypedGroup, Problem> {
    let (data_type, _) = fields.find(name, path)?;
    let expr = match data_type {
        DataType::Dictionary(_, _)
        | DataType::Utf8
        | DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Timestamp(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Binary
        | DataType::FixedSizeBinary(_) => ident(name),
        other => {
            let message = format!("cannot group by field '{name}', {}", types::a(other));
            return Err(Problem::new(codes::FIELD_TYPE, path.clone(), message)
                .help("allowed are strings, enums, booleans, ints, longs, decimals, dates, timestamps and bytes"));
        }
    };
    let value = sql::lower(&expr, fields).map_err(|misfit| misfit.at_path(path))?;
    Ok(TypedGroup { name: name.to_owned(), value: value.in_calendar(), path: path.clone() })
}

/// A column name that the output or its folders already have.
pub(crate) fn reserved(name: &str, what: &str, spec: &AnalyticsPipelineSpec, path: &Path) -> Option<Problem> {
    let folders = spec.sink.partition_by.iter().map(String::as_str).filter(|folder| *folder == "date");
    let is_folder = folders.into_iter().any(|folder| folder.eq_ignore_ascii_case(name));
    let taken = is_folder || RESERVED.into_iter().any(|column| column.eq_ignore_ascii_case(name));
    taken.then(|| {
        let help = if is_folder {
            "the folders of 'sink.partitionBy: [date]', which is the default, have that name: write 'sink.partitionBy: []', or choose \
             another name"
        } else {
            "every output has columns 'window_start' and 'window_end'"
        };
        Problem::new(codes::NAME_RESERVED, path.clone(), format!("the {what} name '{name}' is reserved")).help(help)
    })
}
