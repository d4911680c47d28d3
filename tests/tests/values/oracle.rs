//! What an expression is worth on a record.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::expression::{Expr, To};
use crate::value::{DAY, Type, Value};
use crate::{numbers, texts, times, types};

/// A record: its fields by name.
pub type Row = HashMap<&'static str, Value>;

/// The value of an expression beside nothing.
pub fn value(expr: &Expr, row: &Row) -> Value {
    as_type(expr, typed(expr), row)
}

fn typed(expr: &Expr) -> Type {
    types::of(expr).expect("it was checked")
}

/// The value; a number that was written as one of a type.
fn as_type(expr: &Expr, of: Type, row: &Row) -> Value {
    match expr {
        Expr::Number(text) => numbers::written(text, of).unwrap_or_else(|| panic!("{text} as {of:?}")),
        other => compute(other, row),
    }
}

/// Null if an operand is; what has no value failed.
fn strict(args: &[Value], of: impl FnOnce(&[Value]) -> Option<Value>) -> Value {
    if args.iter().any(Value::failed) {
        Value::Failed
    } else if args.iter().any(Value::is_null) {
        Value::Null
    } else {
        Value::or_failed(of(args))
    }
}

fn all(exprs: &[Expr], row: &Row) -> Vec<Value> {
    exprs.iter().map(|expr| value(expr, row)).collect()
}

fn compute(expr: &Expr, row: &Row) -> Value {
    match expr {
        Expr::Field(name) => row[name].clone(),
        Expr::Number(_) => value(expr, row),
        Expr::Text(text) => Value::Text((*text).to_owned()),
        Expr::Binary(op @ ("+" | "-" | "*" | "/" | "%"), a, b) => {
            let (of_a, of_b) = types::operands(a, b).expect("it was checked");
            let args = [as_type(a, of_a, row), as_type(b, of_b, row)];
            strict(&args, |args| numbers::arithmetic(op, &args[0], &args[1], typed(expr)))
        }
        Expr::Binary("and", a, b) => connect(true, &value(a, row), &value(b, row)),
        Expr::Binary("or", a, b) => connect(false, &value(a, row), &value(b, row)),
        Expr::Binary("||", a, b) => strict(&[value(a, row), value(b, row)], |args| Some(joined(args, ""))),
        Expr::Binary(op @ ("is distinct from" | "is not distinct from"), a, b) => {
            let (a, b) = sides(a, b, row);
            let same = match (a.is_null(), b.is_null()) {
                (false, false) => order(&a, &b).map_or(a.is_nan() && b.is_nan(), Ordering::is_eq),
                (a, b) => a == b,
            };
            Value::Boolean(same == (*op == "is not distinct from"))
        }
        Expr::Binary(op, a, b) => compare(op, a, b, row),
        Expr::Prefix("not", a) => strict(&[value(a, row)], |args| Some(Value::Boolean(!args[0].condition()?))),
        Expr::Prefix(_, a) => strict(&[value(a, row)], |args| numbers::sign("-", &args[0])),
        Expr::Suffix(what, a) => {
            let a = value(a, row);
            let holds = match *what {
                " is null" => a.is_null(),
                " is not null" => !a.is_null(),
                " is true" => a.condition() == Some(true),
                " is not true" => a.condition() != Some(true),
                " is false" => a.condition() == Some(false),
                _ => a.condition() != Some(false),
            };
            Value::Boolean(holds)
        }
        Expr::Between(negated, of) => negate(*negated, between(of, row)),
        Expr::In(negated, a, items) => negate(*negated, within(a, items, row)),
        Expr::Case(operand, branches, otherwise) => {
            let of = typed(expr);
            let chosen = |expr: &Expr| converted(expr, of, row);
            let mut failed = operand.as_deref().is_some_and(|operand| value(operand, row).failed());
            for (when, then) in branches {
                let holds = match operand.as_deref() {
                    // A constant is compared in the type of each that it meets.
                    Some(operand @ Expr::Number(_)) => {
                        let holds = compare("=", operand, when, row);
                        failed |= holds.failed();
                        holds
                    }
                    Some(operand) => {
                        failed |= value(when, row).failed();
                        compare("=", operand, when, row)
                    }
                    None => value(when, row),
                };
                failed |= operand.is_none() && holds.failed();
                if holds.condition() == Some(true) {
                    return told(chosen(then), failed);
                }
            }
            told(otherwise.as_deref().map_or(Value::Null, chosen), failed)
        }
        Expr::Cast(a, to) => cast(a, *to, row),
        Expr::Like(negated, a, pattern) => strict(&[value(a, row)], |args| {
            let Value::Text(text) = &args[0] else { return None };
            let matched = texts::like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>());
            Some(Value::Boolean(matched != *negated))
        }),
        Expr::Shift(back, a, (_, months, days, nanos)) => {
            strict(&[value(a, row)], |args| times::shift(*back, time(&args[0]), (*months, *days, *nanos)))
        }
        Expr::Elapsed(a, b) => {
            let unit = if typed(a) == Type::Micros || typed(b) == Type::Micros { 1_000 } else { 1_000_000 };
            strict(&[value(a, row), value(b, row)], |args| {
                let nanos = time(&args[0]) - time(&args[1]);
                i64::try_from(nanos / unit).ok().map(|_| times::seconds(nanos))
            })
        }
        Expr::Call(name, args) => call(name, args, typed(expr), row),
    }
}

fn call(name: &str, args: &[Expr], of: Type, row: &Row) -> Value {
    match name {
        "coalesce" | "nvl" => {
            let values: Vec<Value> = args.iter().map(|arg| converted(arg, of, row)).collect();
            let failed = values.iter().any(Value::failed);
            told(values.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null), failed)
        }
        "least" | "greatest" => {
            let better = if name == "least" { Ordering::Less } else { Ordering::Greater };
            let values: Vec<Value> = args.iter().map(|arg| converted(arg, of, row)).collect();
            let failed = values.iter().any(|value| value.failed() || !value.is_null());
            let numbers = values.into_iter().filter(|value| !value.is_null() && !value.is_nan());
            let best = numbers.reduce(|best, next| if order(&next, &best) == Some(better) { next } else { best });
            told(best.unwrap_or(Value::Null), failed)
        }
        "nullif" => {
            let own = sides(&args[0], &args[1], row).0;
            let equal = compare("=", &args[0], &args[1], row).condition() == Some(true);
            if equal { Value::Null } else { own }
        }
        "abs" | "signum" => strict(&all(args, row), |args| numbers::sign(name, &args[0])),
        "round" | "trunc" | "ceil" | "floor" => strict(&all(args, row), |args| {
            let digits = args.get(1).map(|digits| if let Value::Whole(digits) = digits { *digits } else { 0 });
            numbers::round(name, &args[0], digits)
        }),
        "date_part" | "date_trunc" => strict(&[value(&args[1], row)], |values| {
            let Expr::Text(word) = args[0] else { return None };
            if name == "date_part" { times::part(word, time(&values[0])) } else { times::cut(word, time(&values[0])) }
        }),
        "concat" => joined(&all(args, row), ""),
        "concat_ws" => {
            let mut values = all(args, row);
            let first = values.remove(0);
            if let Value::Text(between) = first { joined(&values, &between) } else { first }
        }
        _ => strict(&all(args, row), |args| texts::call(name, args)),
    }
}

fn joined(values: &[Value], between: &str) -> Value {
    let texts =
        values.iter().filter_map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None });
    Value::Text(texts.collect::<Vec<_>>().join(between))
}

/// A null that was made stays one.
fn told(value: Value, failed: bool) -> Value {
    if value.is_null() && failed { Value::Failed } else { value }
}

fn time(value: &Value) -> i128 {
    if let Value::Time(time) = value { *time } else { panic!("{value:?} is no time") }
}

/// A value in the common type.
fn converted(expr: &Expr, to: Type, row: &Row) -> Value {
    let own = types::open(expr).expect("it was checked");
    let value = as_type(expr, to, row);
    if own == Type::Written || own == to {
        return value;
    }
    match value {
        Value::Time(_) => strict(&[value], |args| times::known(time(&args[0])).map(Value::Time)),
        Value::Null | Value::Failed => value,
        number => Value::or_failed(numbers::cast(&number, to, 38)),
    }
}

fn sides(a: &Expr, b: &Expr, row: &Row) -> (Value, Value) {
    let (of_a, of_b) = types::compared(a, b).expect("it was checked");
    (as_type(a, of_a, row), as_type(b, of_b, row))
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        _ => numbers::order(a, b),
    }
}

fn compare(op: &str, a: &Expr, b: &Expr, row: &Row) -> Value {
    let (a, b) = sides(a, b, row);
    strict(&[a, b], |args| {
        let order = order(&args[0], &args[1])?;
        Some(Value::Boolean(match op {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        }))
    })
}

fn connect(and: bool, a: &Value, b: &Value) -> Value {
    match (a.condition(), b.condition()) {
        (Some(one), _) | (_, Some(one)) if one != and => Value::Boolean(one),
        (Some(_), Some(_)) => Value::Boolean(and),
        _ => told(Value::Null, a.failed() || b.failed()),
    }
}

fn negate(negated: bool, value: Value) -> Value {
    if negated { strict(&[value], |args| Some(Value::Boolean(!args[0].condition()?))) } else { value }
}

/// Several comparisons as one: unknown failed if an operand did, or if all are known.
fn together(and: bool, parts: &[Value], known: &[Value]) -> Value {
    let all = parts.iter().cloned().reduce(|all, one| connect(and, &all, &one)).expect("there is one");
    if all.is_null() {
        return told(Value::Null, known.iter().any(Value::failed) || known.iter().all(|value| !value.is_null()));
    }
    all
}

fn between([of, low, high]: &[Expr; 3], row: &Row) -> Value {
    let parts = [compare(">=", of, low, row), compare("<=", of, high, row)];
    if matches!(of, Expr::Number(_)) {
        return connect(true, &parts[0], &parts[1]);
    }
    together(true, &parts, &[value(of, row), sides(of, low, row).1, sides(of, high, row).1])
}

fn within(of: &Expr, items: &[Expr], row: &Row) -> Value {
    let parts: Vec<Value> = items.iter().map(|item| compare("=", of, item, row)).collect();
    if matches!(of, Expr::Number(_)) {
        return parts.into_iter().reduce(|all, one| connect(false, &all, &one)).expect("there is one");
    }
    let known: Vec<Value> =
        std::iter::once(value(of, row)).chain(items.iter().map(|item| sides(of, item, row).1)).collect();
    together(false, &parts, &known)
}

fn cast(expr: &Expr, to: To, row: &Row) -> Value {
    let target = typed(&Expr::Cast(Box::new(expr.clone()), to));
    let digits = if let To::Decimal(digits, _) = to { u32::from(digits) } else { 38 };
    let (of, from) = match expr {
        Expr::Number(text) if to == To::Text => return Value::Text((*text).to_owned()),
        Expr::Number(text) => match numbers::written(text, target) {
            Some(value) if !matches!(to, To::Decimal(..)) => return value,
            _ => (as_type(expr, numbers::beside_exact(text), row), numbers::beside_exact(text)),
        },
        other => (value(other, row), typed(other)),
    };
    strict(&[of], |args| {
        let unit = target.unit();
        let in_unit = |time: i128| Value::Time(time.div_euclid(unit) * unit);
        Some(match (&args[0], to) {
            (value, _) if from == target && !matches!(to, To::Decimal(..)) => value.clone(),
            (Value::Text(text), To::Boolean) => match text.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                _ => return None,
            },
            (Value::Text(text), To::Date | To::Timestamp) => in_unit(times::read(text)?),
            (Value::Text(text), _) => numbers::read(text, target, digits)?,
            (Value::Time(time), To::Text) => Value::Text(times::shown(*time, from)?),
            (Value::Time(time), To::Int | To::Long) => {
                let unit = if from == Type::Date { DAY } else { 1_000_000 };
                numbers::cast(&Value::Whole(time.div_euclid(unit)), target, 38)?
            }
            (Value::Time(time), _) => in_unit(times::known(*time)?),
            (Value::Whole(days), To::Date) => Value::Time(times::known(days * DAY)?),
            (Value::Whole(millis), To::Timestamp) => Value::Time(times::known(millis * 1_000_000)?),
            (Value::Boolean(value), To::Text) => Value::Text(value.to_string()),
            (Value::Boolean(value), _) => numbers::cast(&Value::Whole((*value).into()), target, digits)?,
            (number, To::Boolean) => Value::Boolean(numbers::order(number, &Value::Whole(0))?.is_ne()),
            (number, To::Text) => Value::Text(shown(number)),
            (number, _) => numbers::cast(number, target, digits)?,
        })
    })
}

fn shown(number: &Value) -> String {
    match number {
        Value::Double(value) => format!("{value:?}"),
        Value::Float(value) => format!("{value:?}"),
        Value::Whole(value) => value.to_string(),
        Value::Decimal(value, scale) => {
            let digits = format!("{:0>width$}", value.magnitude(), width = usize::from(*scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(*scale));
            let sign = if value.sign() == num_bigint::Sign::Minus { "-" } else { "" };
            if *scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
        }
        other => panic!("{other:?} is no number"),
    }
}
