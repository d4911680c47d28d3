//! The type of an expression, by `docs/concepts/values.md`.

use crate::expression::{Expr, To};
use crate::numbers::{alone, beside_exact, written};
use crate::value::Type;

/// Why there is none: it is to be refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

/// Numbers that were written are left for what they stand beside.
pub fn open(expr: &Expr) -> Result<Type, Refused> {
    Ok(match expr {
        Expr::Number(_) => Type::Written,
        Expr::Field("i" | "j") => Type::Int,
        Expr::Field("l" | "m") => Type::Long,
        Expr::Field("d") => Type::Decimal(10),
        Expr::Field("e") => Type::Decimal(2),
        Expr::Field("x") | Expr::Elapsed(..) => Type::Double,
        Expr::Field("f") => Type::Float,
        Expr::Field("ms") => Type::Millis,
        Expr::Field("us") => Type::Micros,
        Expr::Field("day") => Type::Date,
        Expr::Field("ok") | Expr::Suffix(..) | Expr::Between(..) | Expr::In(..) | Expr::Like(..) => Type::Boolean,
        Expr::Field(_) | Expr::Text(_) | Expr::Binary("||", ..) => Type::Text,
        Expr::Binary(op @ ("+" | "-" | "*" | "/" | "%"), a, b) => {
            let (a, b) = operands(a, b)?;
            result(op, a, b)?
        }
        Expr::Binary(..) | Expr::Prefix("not", _) => Type::Boolean,
        Expr::Prefix(_, a) => signed(of(a)?),
        Expr::Case(_, branches, otherwise) => {
            common(&branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()).collect::<Vec<_>>())?
        }
        Expr::Cast(_, to) => match to {
            To::Int => Type::Int,
            To::Long => Type::Long,
            To::Decimal(_, scale) => Type::Decimal(*scale),
            To::Float => Type::Float,
            To::Double => Type::Double,
            To::Text => Type::Text,
            To::Boolean => Type::Boolean,
            To::Date => Type::Date,
            To::Timestamp => Type::Micros,
        },
        Expr::Shift(_, a, _) => of(a)?,
        Expr::Call(name, args) => match *name {
            "coalesce" | "nvl" | "least" | "greatest" => common(&args.iter().collect::<Vec<_>>())?,
            "nullif" => of(&args[0])?,
            "abs" => signed(of(&args[0])?),
            "signum" => {
                if of(&args[0])?.is_floating() {
                    Type::Double
                } else {
                    Type::Long
                }
            }
            "round" | "trunc" | "ceil" | "floor" => match of(&args[0])? {
                Type::Float | Type::Double => Type::Double,
                Type::Int | Type::Long => Type::Long,
                kept if args.len() > 1 => kept,
                _ => Type::Decimal(0),
            },
            "char_length" | "octet_length" | "strpos" => Type::Long,
            "contains" | "starts_with" | "ends_with" => Type::Boolean,
            "date_part" => {
                if matches!(args[0], Expr::Text("epoch")) {
                    Type::Double
                } else {
                    Type::Long
                }
            }
            "date_trunc" => of(&args[1])?,
            _ => Type::Text,
        },
    })
}

/// The type of an expression beside nothing.
pub fn of(expr: &Expr) -> Result<Type, Refused> {
    Ok(if let Expr::Number(text) = expr { alone(text) } else { open(expr)? })
}

fn signed(of: Type) -> Type {
    if of == Type::Int { Type::Long } else { of }
}

/// The types in which two numbers are calculated with.
pub fn operands(a: &Expr, b: &Expr) -> Result<(Type, Type), Refused> {
    let beside = |text: &str, other: Type| match other {
        Type::Float | Type::Double => Type::Double,
        Type::Decimal(_) if beside_exact(text) == Type::Long => Type::Decimal(0),
        _ => beside_exact(text),
    };
    Ok(match (a, b) {
        (Expr::Number(a), Expr::Number(b)) => (alone(a), alone(b)),
        (Expr::Number(a), b) => (beside(a, open(b)?), open(b)?),
        (a, Expr::Number(b)) => (open(a)?, beside(b, open(a)?)),
        (a, b) => (open(a)?, open(b)?),
    })
}

fn result(op: &str, a: Type, b: Type) -> Result<Type, Refused> {
    if a.is_floating() || b.is_floating() {
        return Ok(Type::Double);
    }
    if a.is_whole() && b.is_whole() {
        return Ok(Type::Long);
    }
    let scale = match op {
        "*" => a.scale() + b.scale(),
        "/" => a.scale() + 4,
        _ => a.scale().max(b.scale()),
    };
    if scale > 38 { Err(Refused) } else { Ok(Type::Decimal(scale)) }
}

/// The types in which two values are compared.
pub fn compared(a: &Expr, b: &Expr) -> Result<(Type, Type), Refused> {
    let beside = |text: &str, other: Type| match other {
        Type::Written => beside_exact(text),
        Type::Float if written(text, Type::Float).is_none() => Type::Double,
        other if written(text, other).is_some() => other,
        _ => beside_exact(text),
    };
    let (own, other) = (open(a)?, open(b)?);
    Ok((
        if let Expr::Number(text) = a { beside(text, other) } else { own },
        if let Expr::Number(text) = b { beside(text, own) } else { other },
    ))
}

/// The type of values of which one is chosen.
pub fn common(of: &[&Expr]) -> Result<Type, Refused> {
    let types = of.iter().map(|expr| open(expr)).collect::<Result<Vec<_>, _>>()?;
    let exactly = |(expr, own): (&&Expr, &Type)| if let Expr::Number(text) = expr { beside_exact(text) } else { *own };
    let all = of.iter().zip(&types).map(exactly).reduce(both).expect("there is one");
    let every = |holds: &dyn Fn(&str) -> bool, own: Type| {
        of.iter()
            .zip(&types)
            .all(|(expr, found)| if let Expr::Number(text) = expr { holds(text) } else { *found == own })
    };
    let target = match all {
        Type::Double
            if types.contains(&Type::Float) && every(&|text| written(text, Type::Float).is_some(), Type::Float) =>
        {
            Type::Float
        }
        Type::Long if every(&|text| written(text, Type::Int).is_some(), Type::Int) => Type::Int,
        _ if of.iter().all(|expr| matches!(expr, Expr::Number(text) if alone(text) == Type::Double)) => Type::Double,
        other => other,
    };
    let has_room = |expr: &&Expr| if let Expr::Number(text) = expr { written(text, target).is_some() } else { true };
    if of.iter().all(has_room) { Ok(target) } else { Err(Refused) }
}

fn both(a: Type, b: Type) -> Type {
    match (a, b) {
        _ if a == b => a,
        _ if a.is_floating() || b.is_floating() => Type::Double,
        _ if a.is_whole() && b.is_whole() => Type::Long,
        (Type::Micros, _) | (_, Type::Micros) => Type::Micros,
        (Type::Millis, _) | (_, Type::Millis) => Type::Millis,
        _ => Type::Decimal(a.scale().max(b.scale())),
    }
}

/// Checks all of an expression.
pub fn check(expr: &Expr) -> Result<Type, Refused> {
    let compare = |a: &Expr, b: &Expr| compared(a, b).map(|_| ());
    let parts: Vec<&Expr> = match expr {
        Expr::Field(_) | Expr::Number(_) | Expr::Text(_) => vec![],
        Expr::Binary(_, a, b) | Expr::Elapsed(a, b) => vec![a, b],
        Expr::Prefix(_, a) | Expr::Suffix(_, a) | Expr::Cast(a, _) | Expr::Like(_, a, _) | Expr::Shift(_, a, _) => {
            vec![a]
        }
        Expr::Between(_, of) => of.iter().collect(),
        Expr::In(_, a, items) => std::iter::once(&**a).chain(items).collect(),
        Expr::Call(_, args) => args.iter().collect(),
        Expr::Case(operand, branches, otherwise) => {
            let both = branches.iter().flat_map(|(when, then)| [when, then]);
            operand.as_deref().into_iter().chain(both).chain(otherwise.as_deref()).collect()
        }
    };
    parts.iter().try_for_each(|part| check(part).map(|_| ()))?;
    if let Expr::Binary(op, a, b) = expr
        && !matches!(*op, "+" | "-" | "*" | "/" | "%" | "||" | "and" | "or")
    {
        compare(a, b)?;
    }
    of(expr)
}
