//! What is computed per window: grouping columns and aggregates.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_schema::DataType;
use datafusion_expr::{Expr, cast, ident};
use datafusion_sql::sqlparser::ast::{self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArguments};
use schemas::spec::{AnalyticsPipelineSpec, Measure};

use crate::avro::Fields;
use crate::names::{is_column, suggest};
use crate::sql::{self, AGGREGATES, Lowered, Text};
use crate::types::{self, Kind, kind};
use crate::{Aggregate, Path, Problem, codes};

/// Columns that every output has.
const RESERVED: [&str; 2] = ["window_start", "window_end"];
/// Digits kept of floats when the measure does not say.
const DEFAULT_SCALE: u8 = 6;

/// A grouping column that is typed, but not yet bound.
#[derive(Debug)]
pub(crate) struct TypedGroup {
    pub(crate) name: String,
    pub(crate) value: Lowered,
    pub(crate) path: Path,
}

/// An aggregate that is typed, but not yet bound.
#[derive(Debug)]
pub(crate) struct TypedMeasure {
    pub(crate) name: String,
    pub(crate) function: Aggregate,
    pub(crate) argument: Option<Lowered>,
    pub(crate) predicate: Option<Lowered>,
    pub(crate) output_type: DataType,
    pub(crate) scale: i8,
    pub(crate) path: Path,
}

/// Compiles `groupBy`.
pub(crate) fn groups(
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
        DataType::Dictionary(_, _) => cast(ident(name), DataType::Utf8),
        DataType::Utf8
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
    let value = sql::lower(expr, fields, false)
        .map_err(|error| Problem::new(codes::SQL_TYPE, path.clone(), sql::reason(&error)))?;
    Ok(TypedGroup { name: name.to_owned(), value, path: path.clone() })
}

/// A column name that the output or its folders already have.
fn reserved(name: &str, what: &str, spec: &AnalyticsPipelineSpec, path: &Path) -> Option<Problem> {
    let folders = spec.sink.partition_by.iter().map(String::as_str).filter(|folder| *folder == "date");
    let taken = RESERVED.into_iter().chain(folders).any(|column| column.eq_ignore_ascii_case(name));
    taken.then(|| {
        Problem::new(codes::NAME_RESERVED, path.clone(), format!("the {what} name '{name}' is reserved"))
            .help("every output has columns 'window_start' and 'window_end' and those of 'partitionBy'")
    })
}

/// Compiles `measures`.
pub(crate) fn measures(
    spec: &AnalyticsPipelineSpec,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Vec<TypedMeasure> {
    let list = Path::of("spec.measures");
    if spec.measures.is_empty() {
        problems.push(
            Problem::new(codes::EMPTY, list.clone(), "there is no measure")
                .help("allowed is at least one, for example 'count(*)'"),
        );
    }
    let mut seen = BTreeSet::new();
    let mut compiled = Vec::with_capacity(spec.measures.len());
    for (index, measure) in spec.measures.iter().enumerate() {
        let path = list.index(index);
        check_name(measure, spec, &path.key("name"), &mut seen, problems);
        compiled.extend(compile(measure, &path, fields, problems));
    }
    compiled
}

fn check_name(
    measure: &Measure,
    spec: &AnalyticsPipelineSpec,
    path: &Path,
    seen: &mut BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let name = &measure.name;
    if !is_column(name) {
        problems.push(
            Problem::new(codes::NAME_SYNTAX, path.clone(), format!("'{name}' is not a column name"))
                .help("allowed are letters, digits and '_', not starting with a digit, at most 63"),
        );
    } else if let Some(problem) = reserved(name, "measure", spec, path) {
        problems.push(problem);
    } else if spec.group_by.iter().any(|group| group.eq_ignore_ascii_case(name)) {
        let message = format!("measure '{name}' has the name of a grouping column");
        problems.push(Problem::new(codes::NAME_DUPLICATE, path.clone(), message).help("choose another name"));
    } else if !seen.insert(name.to_lowercase()) {
        let message = format!("there are two measures named '{name}'");
        problems.push(
            Problem::new(codes::NAME_DUPLICATE, path.clone(), message).help("upper and lower case are not told apart"),
        );
    }
}

/// The parts of `function(argument) filter (where predicate)`.
struct Call<'a> {
    function: Aggregate,
    /// Absent for `count(*)`.
    argument: Option<&'a ast::Expr>,
    predicate: Option<&'a ast::Expr>,
}

fn compile(
    measure: &Measure,
    path: &Path,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<TypedMeasure> {
    let source = Text::new(&measure.expression, path.key("expression"), "measure");
    let parsed = sql::text::parse(&source).map_err(|problem| problems.push(problem)).ok()?;
    let call = call(&parsed, &source).map_err(|problem| problems.push(problem)).ok()?;
    let argument = call.argument.map(|expr| argument(call.function, expr, &source, fields, problems));
    let predicate = call.predicate.map(|expr| predicate(expr, &source, fields, problems));
    let (argument, predicate) = (settled(argument)?, settled(predicate)?);
    let scale = scale(measure, call.function, argument.as_ref(), path, problems)?;
    let output_type = output_type(call.function, argument.as_ref(), scale);
    Some(TypedMeasure {
        name: measure.name.clone(),
        function: call.function,
        argument,
        predicate,
        output_type,
        scale,
        path: path.key("expression"),
    })
}

/// Nothing was written, or what was written is right.
fn settled<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    part.map_or(Some(None), |found| found.map(Some))
}

fn argument(
    function: Aggregate,
    expr: &ast::Expr,
    source: &Text<'_>,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    let lowered = sql::typed(expr, source, fields, problems)?;
    let place = sql::text::span(source, expr);
    accumulated(function, lowered, fields?, source, place).map_err(|problem| problems.push(problem)).ok()
}

fn predicate(
    expr: &ast::Expr,
    source: &Text<'_>,
    fields: Option<&Fields>,
    problems: &mut Vec<Problem>,
) -> Option<Lowered> {
    let source = Text { what: "measure's filter", ..source.clone() };
    let lowered = sql::typed(expr, &source, fields, problems)?;
    sql::boolean(lowered, &source, sql::text::span(&source, expr), problems)
}

const ALLOWED: &str = "allowed is one of count(*), count(x), sum(x), min(x), max(x) and avg(x), \
                       with an optional filter (where …)";

/// Takes one aggregate call apart.
fn call<'a>(parsed: &'a ast::Expr, source: &Text<'_>) -> Result<Call<'a>, Problem> {
    let whole = Some(0..source.sql.len());
    let refuse = |span: Option<Range<usize>>, message: &str| {
        source.problem(codes::SQL_AGGREGATE, span, message.to_owned()).help(ALLOWED)
    };
    let parsed = match parsed {
        ast::Expr::Nested(inner) => inner,
        other => other,
    };
    let ast::Expr::Function(function) = parsed else {
        return Err(refuse(whole, "the measure is not an aggregate"));
    };
    let name = function.name.to_string().to_ascii_lowercase();
    if !AGGREGATES.contains(&name.as_str()) {
        let message = format!("'{name}' is not an aggregate");
        let help = if name.len() > 2 { suggest(&name, AGGREGATES) } else { ALLOWED.to_owned() };
        return Err(source.problem(codes::SQL_AGGREGATE, whole, message).help(help));
    }
    if function.over.is_some() || function.null_treatment.is_some() || !function.within_group.is_empty() {
        return Err(refuse(whole, "the aggregate has a clause that is not supported"));
    }
    let FunctionArguments::List(list) = &function.args else {
        return Err(refuse(whole, &format!("'{name}' lacks its argument")));
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err(refuse(whole, "'distinct' is not supported"));
    }
    let argument = match list.args.as_slice() {
        _ if !list.clauses.is_empty() => return Err(refuse(whole, "the aggregate has a clause that is not supported")),
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "count" => None,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Some(argument),
        _ => return Err(refuse(whole, &format!("'{name}' needs one argument"))),
    };
    let function_of = match (name.as_str(), argument) {
        ("count", None) => Aggregate::CountAll,
        ("count", Some(_)) => Aggregate::Count,
        ("sum", _) => Aggregate::Sum,
        ("min", _) => Aggregate::Min,
        ("max", _) => Aggregate::Max,
        _ => Aggregate::Avg,
    };
    Ok(Call { function: function_of, argument, predicate: function.filter.as_deref() })
}

/// The argument in one of the types that accumulators take.
fn accumulated(
    function: Aggregate,
    argument: Lowered,
    fields: &Fields,
    source: &Text<'_>,
    place: Option<Range<usize>>,
) -> Result<Lowered, Problem> {
    let target = match function {
        Aggregate::CountAll | Aggregate::Count => return Ok(argument),
        Aggregate::Sum | Aggregate::Avg => summed(&argument.data_type),
        Aggregate::Min | Aggregate::Max => ordered(&argument.data_type),
    };
    let (name, allowed) = match function {
        Aggregate::Sum => ("sum", "numbers of at most 38 digits"),
        Aggregate::Avg => ("avg", "numbers of at most 38 digits"),
        Aggregate::Min => ("min", "numbers of at most 38 digits, strings, booleans, dates and timestamps"),
        _ => ("max", "numbers of at most 38 digits, strings, booleans, dates and timestamps"),
    };
    let refuse = || {
        let of = match &argument.expr {
            Expr::Column(column) => format!("field '{}', {}", column.name, types::a(&argument.data_type)),
            _ => types::a(&argument.data_type),
        };
        source
            .problem(codes::SQL_TYPE, place.clone(), format!("cannot take the {name} of {of}"))
            .help(format!("allowed are {allowed}"))
    };
    let target = target.ok_or_else(refuse)?;
    if target == argument.data_type {
        return Ok(argument);
    }
    let columns = argument.columns.clone();
    let lowered = sql::lower(cast(argument.expr.clone(), target), fields, true).map_err(|_| refuse())?;
    Ok(Lowered { columns, ..lowered })
}

fn summed(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(DataType::Int64),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Some(DataType::Int64),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
        DataType::Decimal128(_, scale) if *scale >= 0 => Some(data_type.clone()),
        _ => None,
    }
}

fn ordered(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => Some(DataType::Int32),
        DataType::UInt32 => Some(DataType::Int64),
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Date32
        | DataType::Timestamp(_, _) => Some(data_type.clone()),
        text if kind(text) == Kind::Text => Some(DataType::Utf8),
        _ => None,
    }
}

/// Digits after the point of what is summed.
fn scale(
    measure: &Measure,
    function: Aggregate,
    argument: Option<&Lowered>,
    path: &Path,
    problems: &mut Vec<Problem>,
) -> Option<i8> {
    let sums = matches!(function, Aggregate::Sum | Aggregate::Avg);
    let argument_type = argument.map(|argument| &argument.data_type).filter(|_| sums);
    let is_float = argument_type == Some(&DataType::Float64);
    let key = path.key("scale");
    match measure.scale {
        Some(_) if !is_float => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("measure '{}' has a scale of its own", measure.name))
                    .help("allowed for sum and avg of floats and doubles only"),
            );
            return None;
        }
        Some(scale) if scale > 18 => {
            problems.push(
                Problem::new(codes::RANGE, key, format!("the scale {scale} is too large")).help("allowed are 0 to 18"),
            );
            return None;
        }
        _ => {}
    }
    let scale = match argument_type {
        Some(DataType::Decimal128(_, scale)) => *scale,
        Some(DataType::Float64) => measure.scale.unwrap_or(DEFAULT_SCALE) as i8,
        _ => 0,
    };
    if function == Aggregate::Avg && scale > 34 {
        let message = format!("cannot take the avg of a decimal with {scale} digits after the point");
        problems.push(Problem::new(codes::SQL_TYPE, path.key("expression"), message).help("allowed are at most 34"));
        return None;
    }
    Some(scale)
}

fn output_type(function: Aggregate, argument: Option<&Lowered>, scale: i8) -> DataType {
    match (function, argument.map(|argument| &argument.data_type)) {
        (Aggregate::CountAll | Aggregate::Count, _) | (_, None) | (Aggregate::Sum, Some(DataType::Int64)) => {
            DataType::Int64
        }
        (Aggregate::Sum, Some(_)) => DataType::Decimal128(38, scale),
        (Aggregate::Avg, Some(_)) => DataType::Decimal128(38, scale + 4),
        (Aggregate::Min | Aggregate::Max, Some(data_type)) => data_type.clone(),
    }
}
