//! Turns an Avro schema's JSON into layouts. Names resolve as Avro 1.11.1 "Names" says; a type that contains itself is refused,
//! because it has no Arrow form.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

use super::{Field, Shape, Unit, Weight};

/// The logical types of int and long.
const UNITS: [&str; 9] = [
    "date",
    "time-millis",
    "time-micros",
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
];

/// A writer schema that cannot be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// Not JSON.
    #[error("the schema is not JSON: {source}")]
    ReadJson {
        /// Where.
        #[from]
        source: serde_json::Error,
    },
    /// Not Avro, or not something that becomes rows.
    #[error("{message}")]
    Understand {
        /// What, and what is allowed.
        message: String,
    },
}

fn refused<T>(message: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError::Understand { message: message.into() })
}

/// The named layouts of the top-level record.
pub(super) fn record_fields(schema: &str) -> Result<Box<[Field]>, SchemaError> {
    let json: Value = serde_json::from_str(schema)?;
    match json.get("type").and_then(Value::as_str) {
        Some("record") => Names::default().fields(&json, ""),
        _ => refused("the schema is not a record"),
    }
}

/// The named types met so far; `None` while one is being read.
#[derive(Default)]
struct Names(HashMap<String, Option<Shape>>);

impl Names {
    fn shape(&mut self, json: &Value, namespace: &str) -> Result<Shape, SchemaError> {
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(_) => self.complex(json, namespace),
            other => refused(format!("a type is a name, an object or a list, found {other}")),
        }
    }

    fn by_name(&self, name: &str, namespace: &str) -> Result<Shape, SchemaError> {
        if let Some(primitive) = primitive(name) {
            return Ok(primitive);
        }
        let full = full_name(name, namespace);
        match self.0.get(&full).or_else(|| self.0.get(name)) {
            Some(Some(shape)) => Ok(shape.clone()),
            Some(None) => refused(format!("type '{full}' contains itself")),
            None => refused(format!("type '{full}' is not defined before its use")),
        }
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<Shape, SchemaError> {
        let mut shapes = Vec::with_capacity(branches.len());
        for branch in branches {
            shapes.push(self.shape(branch, namespace)?);
        }
        Ok(match shapes.as_mut_slice() {
            [Shape::Null, some] if *some != Shape::Null => Shape::Optional { null: 0, some: Box::new(some.clone()) },
            [some, Shape::Null] if *some != Shape::Null => Shape::Optional { null: 1, some: Box::new(some.clone()) },
            _ => Shape::Union(shapes.into()),
        })
    }

    fn complex(&mut self, json: &Value, namespace: &str) -> Result<Shape, SchemaError> {
        let Some(kind) = json.get("type") else {
            return refused("a type object lacks 'type'");
        };
        let Some(name) = kind.as_str() else {
            return self.shape(kind, namespace);
        };
        match name {
            "record" | "error" => Ok(Shape::Record(self.fields(json, namespace)?)),
            "enum" => match json.get("symbols").and_then(Value::as_array) {
                Some(symbols) => self.define(json, namespace, Shape::Enum(symbols.len() as u64)),
                None => refused("an enum lacks 'symbols'"),
            },
            "fixed" => match json.get("size").and_then(Value::as_u64) {
                Some(size) => {
                    let size = size as usize;
                    let shape = decimal(json, Some(size)).unwrap_or(Shape::Fixed(size));
                    self.define(json, namespace, shape)
                }
                None => refused("a fixed lacks 'size'"),
            },
            "array" => {
                let item = self.part(json, "items", namespace)?;
                let weight = weight(&item);
                Ok(Shape::Array(Box::new(item), weight))
            }
            "map" => Ok(Shape::Map(Box::new(self.part(json, "values", namespace)?))),
            "bytes" => Ok(decimal(json, None).unwrap_or(Shape::Bytes)),
            "int" => Ok(Shape::Int(unit(json))),
            "long" => Ok(Shape::Long(unit(json))),
            other => self.by_name(other, namespace),
        }
    }

    fn part(&mut self, json: &Value, key: &str, namespace: &str) -> Result<Shape, SchemaError> {
        match json.get(key) {
            Some(part) => self.shape(part, namespace),
            None => refused(format!("a type object lacks '{key}'")),
        }
    }

    fn define(&mut self, json: &Value, outer: &str, shape: Shape) -> Result<Shape, SchemaError> {
        let (full, _) = own_name(json, outer)?;
        self.0.insert(full, Some(shape.clone()));
        Ok(shape)
    }

    fn fields(&mut self, json: &Value, outer: &str) -> Result<Box<[Field]>, SchemaError> {
        let (full, namespace) = own_name(json, outer)?;
        self.0.insert(full.clone(), None);
        let Some(list) = json.get("fields").and_then(Value::as_array) else {
            return refused(format!("record '{full}' lacks 'fields'"));
        };
        let mut fields = Vec::with_capacity(list.len());
        for field in list {
            let Some(name) = field.get("name").and_then(Value::as_str) else {
                return refused(format!("a field of record '{full}' lacks 'name'"));
            };
            let aliases = field.get("aliases").and_then(Value::as_array).into_iter().flatten();
            let aliases = aliases.filter_map(Value::as_str).map(Box::from).collect();
            fields.push(Field { name: name.into(), aliases, shape: self.part(field, "type", &namespace)? });
        }
        self.0.insert(full, Some(Shape::Record(fields.as_slice().into())));
        Ok(fields.into())
    }
}

fn primitive(name: &str) -> Option<Shape> {
    Some(match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int(None),
        "long" => Shape::Long(None),
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        _ => return None,
    })
}

/// The decimal of a bytes or fixed type, when it is annotated as one. Annotations that make no sense are ignored, as Avro says.
fn decimal(json: &Value, size: Option<usize>) -> Option<Shape> {
    if json.get("logicalType")?.as_str()? != "decimal" {
        return None;
    }
    let precision = u32::try_from(json.get("precision")?.as_u64()?).ok()?;
    let scale = match json.get("scale") {
        Some(scale) => u32::try_from(scale.as_u64()?).ok()?,
        None => 0,
    };
    let limit = 10u128.checked_pow(precision).unwrap_or(u128::MAX);
    // n bytes reach 2^(8n-1) away from zero.
    let sure = (0..=15).take_while(|n| *n == 0 || 1u128 << (8 * n - 1) < limit).last().unwrap_or(0);
    Some(Shape::Decimal { size, precision, scale, sure })
}

fn unit(json: &Value) -> Option<Unit> {
    let name = json.get("logicalType")?.as_str()?;
    UNITS.iter().find(|unit| **unit == name).map(|unit| Unit(unit))
}

fn weight(item: &Shape) -> Weight {
    let nothing = match item {
        Shape::Null | Shape::Fixed(0) | Shape::Decimal { size: Some(0), .. } => true,
        Shape::Record(fields) => fields.iter().all(|field| weight(&field.shape) == Weight::None),
        _ => false,
    };
    if nothing { Weight::None } else { Weight::Some }
}

/// A definition's full name and the namespace inside it.
fn own_name(json: &Value, outer: &str) -> Result<(String, String), SchemaError> {
    let Some(name) = json.get("name").and_then(Value::as_str) else {
        return refused("a named type lacks 'name'");
    };
    let declared = json.get("namespace").and_then(Value::as_str).unwrap_or(outer);
    let full = full_name(name, declared);
    let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
    Ok((full, namespace))
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}
