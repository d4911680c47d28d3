//! From types to JSON: one type by itself, and a whole schema as Avro's text, where a named type stands once.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Kind, MAX_DEPTH, Schema, TypeId, Unreadable, logical};

impl Schema {
    /// A type that is no union, with what it holds. Named types have their full name, and no namespace around it.
    pub fn plain(&self, id: TypeId, holds: Option<(&str, Value)>) -> Value {
        let of = self.get(id);
        let mut object = self.attributes(id);
        if let Some(full) = of.names.first() {
            object.insert("name".to_owned(), json!(full));
            object.shift_remove("namespace");
            if of.names.len() > 1 {
                object.insert("aliases".to_owned(), json!(of.names[1..]));
            }
        }
        if let Some((key, held)) = holds {
            object.insert(key.to_owned(), held);
        }
        or_name(object, &of.kind)
    }

    /// Attributes, without a logical type that does not fit.
    fn attributes(&self, id: TypeId) -> Map<String, Value> {
        let of = self.get(id);
        let mut object = of.attributes.clone();
        if of.logical.is_none() && object.get("logicalType").and_then(Value::as_str).is_some_and(logical::is_known) {
            for key in ["logicalType", "precision", "scale"] {
                object.shift_remove(key);
            }
        }
        if object.get("type").and_then(Value::as_str) == Some("error") {
            object.insert("type".to_owned(), json!("record"));
        }
        object
    }

    /// The schema's text with everything that it names in it, or that of a record with only some of its fields.
    ///
    /// # Errors
    /// It is deeper than [`MAX_DEPTH`].
    pub fn text(&self, keep: impl Fn(&str) -> bool) -> Result<String, Unreadable> {
        self.json(keep).map(|json| json.to_string())
    }

    /// The same as JSON.
    ///
    /// # Errors
    /// As [`Schema::text`].
    pub fn json(&self, keep: impl Fn(&str) -> bool) -> Result<Value, Unreadable> {
        let mut seen = HashSet::new();
        let mut write = Write { schema: self, seen: &mut seen };
        match &self.get(self.root).kind {
            Kind::Record(fields) => {
                let kept: Vec<usize> = (0..fields.len()).filter(|at| keep(&fields[*at].name)).collect();
                write.record(self.root, &kept, "", 0)
            }
            _ => write.write(self.root, "", 0),
        }
    }
}

/// Writes each named type where it comes first, and its name elsewhere.
struct Write<'a> {
    schema: &'a Schema,
    seen: &'a mut HashSet<TypeId>,
}

impl Write<'_> {
    fn write(&mut self, id: TypeId, namespace: &str, depth: usize) -> Result<Value, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let of = self.schema.get(id);
        if let Some(full) = of.names.first()
            && !self.seen.insert(id)
        {
            let within = full.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.'));
            return Ok(json!(within.filter(|name| !name.contains('.')).unwrap_or(full)));
        }
        match &of.kind {
            Kind::Record(fields) => self.record(id, &(0..fields.len()).collect::<Vec<_>>(), namespace, depth),
            Kind::Union(branches) => branches.iter().map(|branch| self.write(*branch, namespace, depth + 1)).collect(),
            Kind::Array(item) => {
                let item = self.write(*item, namespace, depth + 1)?;
                Ok(self.object(id, Some(("items", item)), namespace))
            }
            Kind::Map(value) => {
                let value = self.write(*value, namespace, depth + 1)?;
                Ok(self.object(id, Some(("values", value)), namespace))
            }
            _ => Ok(self.object(id, None, namespace)),
        }
    }

    fn record(&mut self, id: TypeId, kept: &[usize], namespace: &str, depth: usize) -> Result<Value, Unreadable> {
        self.seen.insert(id);
        let of = self.schema.get(id);
        let Kind::Record(fields) = &of.kind else { return self.write(id, namespace, depth) };
        let inner = of.names.first().and_then(|full| full.rsplit_once('.')).map_or("", |(namespace, _)| namespace);
        let mut written = Vec::with_capacity(kept.len());
        for at in kept {
            let field = &fields[*at];
            written.push(field.with_type(self.write(field.of, inner, depth + 1)?));
        }
        Ok(self.object(id, Some(("fields", written.into())), namespace))
    }

    fn object(&self, id: TypeId, holds: Option<(&str, Value)>, outer: &str) -> Value {
        let of = self.schema.get(id);
        let mut object = self.schema.attributes(id);
        if let Some(full) = of.names.first() {
            let own = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
            let given = object.get("namespace").and_then(Value::as_str);
            let dotted = object.get("name").and_then(Value::as_str).is_some_and(|name| name.contains('.'));
            // What stands in another place than before may be in another namespace.
            if !dotted && given.unwrap_or(outer) != own {
                object.insert("namespace".to_owned(), json!(own));
            }
        }
        if let Some((key, held)) = holds {
            object.insert(key.to_owned(), held);
        }
        or_name(object, &of.kind)
    }
}

impl super::Field {
    /// The field with a type written.
    pub fn with_type(&self, of: Value) -> Value {
        let mut object = self.attributes.clone();
        object.insert("type".to_owned(), of);
        Value::Object(object)
    }
}

/// A primitive without attributes is its name.
fn or_name(object: Map<String, Value>, kind: &Kind) -> Value {
    let name = match kind {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::Bytes => "bytes",
        Kind::String => "string",
        _ => return Value::Object(object),
    };
    // The library knows null by its name alone.
    let bare = *kind == Kind::Null || object.keys().all(|key| key == "type");
    if bare { json!(name) } else { Value::Object(object) }
}
