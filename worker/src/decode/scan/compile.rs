//! From a schema's types to layouts, one for each type: a type that is used in many places, or inside itself, has one.

use plan::avro::{Kind, Logical, Schema, TypeId};

use super::{Shape, Weight};

/// The layouts of all types, in their order.
pub(super) fn shapes(schema: &Schema) -> Box<[Shape]> {
    let weights = weights(schema);
    let shape = |of: &plan::avro::Type| match &of.kind {
        Kind::Null => Shape::Null,
        Kind::Boolean => Shape::Boolean,
        Kind::Int => Shape::Int,
        Kind::Long => Shape::Long,
        Kind::Float => Shape::Float,
        Kind::Double => Shape::Double,
        Kind::String => Shape::String,
        Kind::Bytes => decimal(of.logical, None).unwrap_or(Shape::Bytes),
        Kind::Fixed(size) => decimal(of.logical, Some(*size)).unwrap_or(Shape::Fixed(*size)),
        Kind::Enum(symbols) => Shape::Enum(symbols.len() as u64),
        Kind::Array(item) => Shape::Array(*item, weights[item.index()]),
        Kind::Map(value) => Shape::Map(*value),
        Kind::Record(fields) => Shape::Record(fields.iter().map(|field| field.of).collect()),
        Kind::Union(branches) => union(schema, branches),
    };
    schema.types().iter().map(shape).collect()
}

pub(super) fn union(schema: &Schema, branches: &[TypeId]) -> Shape {
    let is_null = |id: TypeId| schema.get(id).kind == Kind::Null;
    match branches {
        [null, some] if is_null(*null) && !is_null(*some) => Shape::Optional { null: 0, some: *some },
        [some, null] if is_null(*null) && !is_null(*some) => Shape::Optional { null: 1, some: *some },
        _ => Shape::Union(branches.into()),
    }
}

pub(super) fn decimal(logical: Option<Logical>, size: Option<u64>) -> Option<Shape> {
    let Some(Logical::Decimal { precision, .. }) = logical else { return None };
    let limit = 10u128.checked_pow(precision).unwrap_or(u128::MAX);
    // n bytes reach 2^(8n-1) away from zero.
    let sure = (0..=15).take_while(|n| *n == 0 || 1u128 << (8 * n - 1) < limit).last().unwrap_or(0);
    Some(Shape::Decimal { size, precision, sure })
}

/// Which types may take no bytes: found to and fro until nothing changes, because a type may hold later ones and earlier ones.
fn weights(schema: &Schema) -> Vec<Weight> {
    let types = schema.types();
    let mut weights = vec![Weight::Some; types.len()];
    loop {
        let mut changed = false;
        for at in (0..types.len()).chain((0..types.len()).rev()) {
            let nothing = match &types[at].kind {
                Kind::Null | Kind::Fixed(0) => true,
                Kind::Record(fields) => fields.iter().all(|field| weights[field.of.index()] == Weight::None),
                _ => false,
            };
            if nothing && weights[at] == Weight::Some {
                weights[at] = Weight::None;
                changed = true;
            }
        }
        if !changed {
            return weights;
        }
    }
}
