//! From JSON to types. Names resolve as Avro 1.11.1 "Names" says; a type that is named again is the same type, also inside itself.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use thiserror::Error;

use super::{Field, Kind, MAX_PARTS, Schema, Type, TypeId, json, logical};

/// A schema that cannot be read.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// Not JSON.
    #[error("the schema is not JSON: {source}")]
    ReadJson {
        /// Where.
        #[from]
        source: serde_json::Error,
    },
    /// Not Avro.
    #[error("{message}")]
    Understand {
        /// What, and what is allowed.
        message: String,
    },
    /// A type that is named and not there.
    #[error("type '{name}' is not defined before its use")]
    Undefined {
        /// Its full name.
        name: String,
    },
    /// Larger than is read.
    #[error("{message}")]
    TooLarge {
        /// What, and what is allowed.
        message: String,
    },
}

fn refused<T>(message: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError::Understand { message: message.into() })
}

/// Reads a schema behind those that it refers to.
pub(super) fn schema(before: &[&str], text: &str) -> Result<Schema, SchemaError> {
    let bytes = before.iter().fold(text.len(), |sum, text| sum.saturating_add(text.len()));
    if bytes > super::MAX_BYTES {
        let message =
            format!("the schema has {bytes} bytes with all that it refers to, allowed are {}", super::MAX_BYTES);
        return Err(SchemaError::TooLarge { message });
    }
    let mut parser = Parser::default();
    for text in before {
        parser.read(&json::read(text)?, "")?;
    }
    let root = parser.read(&json::read(text)?, "")?;
    Ok(Schema { types: parser.types, root })
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    /// Named types by full name, those that are being read included.
    names: HashMap<String, TypeId>,
    plain: HashMap<&'static str, TypeId>,
    parts: usize,
}

impl Parser {
    fn read(&mut self, json: &Value, namespace: &str) -> Result<TypeId, SchemaError> {
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.read(branch, namespace)).collect::<Result<_, _>>()?;
                self.push(Kind::Union(branches), Map::new())
            }
            Value::Object(object) => self.complex(object, namespace),
            other => refused(format!("a type is a name, an object or a list, found {other}")),
        }
    }

    fn part(&mut self) -> Result<(), SchemaError> {
        self.parts += 1;
        if self.parts <= MAX_PARTS {
            return Ok(());
        }
        let message = format!("the schema defines more than {MAX_PARTS} types, fields and symbols");
        Err(SchemaError::TooLarge { message })
    }

    fn push(&mut self, kind: Kind, attributes: Map<String, Value>) -> Result<TypeId, SchemaError> {
        self.part()?;
        let logical = logical::of(&kind, &attributes);
        self.types.push(Type { kind, logical, names: Box::default(), attributes });
        Ok(TypeId(self.types.len() as u32 - 1))
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<TypeId, SchemaError> {
        if let Some((name, kind)) = primitive(name) {
            if let Some(known) = self.plain.get(name) {
                return Ok(*known);
            }
            let id = self.push(kind, Map::new())?;
            self.plain.insert(name, id);
            return Ok(id);
        }
        let full = full_name(name, namespace);
        match self.names.get(&full).or_else(|| self.names.get(name)) {
            Some(id) => Ok(*id),
            None => Err(SchemaError::Undefined { name: full }),
        }
    }

    fn complex(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<TypeId, SchemaError> {
        let Some(kind) = object.get("type") else {
            return refused("a type object lacks 'type'");
        };
        let Some(name) = kind.as_str() else {
            return self.read(kind, namespace);
        };
        match name {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let Some(symbols) = object.get("symbols").and_then(Value::as_array) else {
                    return refused("an enum lacks 'symbols'");
                };
                let mut of = Vec::with_capacity(symbols.len());
                for symbol in symbols {
                    self.part()?;
                    let Some(symbol) = symbol.as_str() else { return refused("a symbol of an enum is not a text") };
                    of.push(symbol.into());
                }
                let id = self.define(object, namespace)?.0;
                self.settle(id, Kind::Enum(of.into()));
                Ok(id)
            }
            "fixed" => {
                let Some(size) = object.get("size").and_then(Value::as_u64) else {
                    return refused("a fixed lacks 'size'");
                };
                let id = self.define(object, namespace)?.0;
                self.settle(id, Kind::Fixed(size));
                Ok(id)
            }
            "array" => {
                let item = self.held(object, "items", namespace)?;
                self.push(Kind::Array(item), attributes(object))
            }
            "map" => {
                let value = self.held(object, "values", namespace)?;
                self.push(Kind::Map(value), attributes(object))
            }
            other => match primitive(other) {
                Some((_, kind)) if object.len() > 1 => self.push(kind, attributes(object)),
                _ => self.by_name(other, namespace),
            },
        }
    }

    fn held(&mut self, object: &Map<String, Value>, key: &str, namespace: &str) -> Result<TypeId, SchemaError> {
        match object.get(key) {
            Some(part) => self.read(part, namespace),
            None => refused(format!("a type object lacks '{key}'")),
        }
    }

    /// Takes a place for a named type, and gives the namespace inside it.
    fn define(&mut self, object: &Map<String, Value>, outer: &str) -> Result<(TypeId, String, String), SchemaError> {
        let Some(name) = object.get("name").and_then(Value::as_str) else {
            return refused("a named type lacks 'name'");
        };
        let full = full_name(name, object.get("namespace").and_then(Value::as_str).unwrap_or(outer));
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let id = self.push(Kind::Null, attributes(object))?;
        if self.names.insert(full.clone(), id).is_some() {
            return refused(format!("type '{full}' is defined twice"));
        }
        let others = texts(object, "aliases").map(|alias| full_name(alias, &namespace).into());
        self.types[id.index()].names = std::iter::once(full.as_str().into()).chain(others).collect();
        Ok((id, full, namespace))
    }

    fn settle(&mut self, id: TypeId, kind: Kind) {
        let of = &mut self.types[id.index()];
        of.logical = logical::of(&kind, &of.attributes);
        of.kind = kind;
    }

    fn record(&mut self, object: &Map<String, Value>, outer: &str) -> Result<TypeId, SchemaError> {
        let (id, full, namespace) = self.define(object, outer)?;
        let Some(list) = object.get("fields").and_then(Value::as_array) else {
            return refused(format!("record '{full}' lacks 'fields'"));
        };
        let mut seen = HashSet::with_capacity(list.len());
        let mut fields = Vec::with_capacity(list.len());
        for field in list {
            self.part()?;
            let object = field.as_object();
            let Some((object, name)) = object.and_then(|object| Some((object, object.get("name")?.as_str()?))) else {
                return refused(format!("a field of record '{full}' lacks 'name'"));
            };
            if !seen.insert(name) {
                return refused(format!("record '{full}' has two fields '{name}'"));
            }
            let of = match object.get("type") {
                Some(of) => self.read(of, &namespace)?,
                None => return refused(format!("field '{name}' of record '{full}' lacks 'type'")),
            };
            let aliases = texts(object, "aliases").map(Into::into).collect();
            fields.push(Field { name: name.into(), aliases, of, attributes: attributes(object) });
        }
        self.settle(id, Kind::Record(fields.into()));
        Ok(id)
    }
}

/// Attributes without the types in them.
fn attributes(object: &Map<String, Value>) -> Map<String, Value> {
    let holds = |key: &str, value: &Value| {
        matches!(key, "fields" | "items" | "values") || (key == "type" && !value.is_string())
    };
    object
        .iter()
        .map(|(key, value)| (key.clone(), if holds(key, value) { Value::Null } else { value.clone() }))
        .collect()
}

fn texts<'o>(object: &'o Map<String, Value>, key: &str) -> impl Iterator<Item = &'o str> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn primitive(name: &str) -> Option<(&'static str, Kind)> {
    Some(match name {
        "null" => ("null", Kind::Null),
        "boolean" => ("boolean", Kind::Boolean),
        "int" => ("int", Kind::Int),
        "long" => ("long", Kind::Long),
        "float" => ("float", Kind::Float),
        "double" => ("double", Kind::Double),
        "bytes" => ("bytes", Kind::Bytes),
        "string" => ("string", Kind::String),
        _ => return None,
    })
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}
