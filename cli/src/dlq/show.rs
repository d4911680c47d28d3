//! `sluice dlq show`: one letter with everything that can be read of it.

use std::borrow::Cow;
use std::io::{self, Write};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use schemas::text::plain;
use worker::decode::WriterSchema;
use worker::decode::framing::{SchemaKey, frame};
use worker::decode::scan::Scanner;
use worker::registry::RegistryClient;

use super::letter::{Cut, Letter};
use super::whole::Gone;
use crate::generate::iso;

/// Most bytes that are shown in hex.
const MOST: usize = 512;

/// Writes the letter; `cut` says what had been left out of it, and why that is gone if it is.
///
/// # Errors
/// The writer's.
pub fn write(
    letter: &Letter,
    cut: Option<(&Cut, Option<Gone>)>,
    registry: &RegistryClient,
    out: &mut dyn Write,
) -> io::Result<()> {
    let record = &letter.record;
    writeln!(out, "record     partition {}, offset {}", letter.partition, letter.offset)?;
    writeln!(out, "refused    {} at {}", plain(&letter.reason), iso(record.timestamp.ms))?;
    if let Some(rule) = &letter.rule {
        writeln!(out, "rule       {}", plain(rule))?;
    }
    writeln!(out, "message    {}", plain(&letter.message))?;
    if let Some((Cut { what, bytes, .. }, gone)) = cut {
        let place = gone.map_or_else(|| "read from the source topic".to_owned(), |why| why.to_string());
        writeln!(out, "too large  the letter is without {what} ({bytes} bytes of value): {place}")?;
    }
    writeln!(out, "key        {}", text(record.key.as_deref()))?;
    for (name, value) in &record.headers {
        writeln!(out, "header     {}: {}", plain(name), text(value.as_deref()))?;
    }
    if cut.is_some_and(|(cut, gone)| gone.is_some() && cut.what.contains("value")) {
        return writeln!(out, "value      gone");
    }
    match decode(letter, registry) {
        Ok((id, value)) => writeln!(out, "value      schema {id}\n{value}"),
        Err(why) => {
            writeln!(out, "value      cannot be decoded: {}", plain(&why))?;
            hex(record.value.as_deref().unwrap_or_default(), out)
        }
    }
}

/// The value by its writer schema, with the schema's id or GUID.
fn decode(letter: &Letter, registry: &RegistryClient) -> Result<(SchemaKey, String), String> {
    let frame = frame(&letter.record).map_err(|reason| reason.to_string())?;
    let schema = match registry.schema(frame.key).map_err(|error| error.to_string())? {
        WriterSchema::Avro(schema) => schema,
        WriterSchema::Unusable(why) => return Err(why.to_string()),
        WriterSchema::Unknown => return Err(format!("the registry has no schema {}", frame.key)),
    };
    // The check keeps what the library would make of a stranger's bytes within bounds.
    let scanner = Scanner::compile(&schema).map_err(|error| error.to_string())?;
    scanner.check(frame.body).map_err(|reason| reason.to_string())?;
    let schema = Schema::parse_str(&schema).map_err(|error| error.to_string())?;
    let mut body = frame.body;
    let reader = GenericDatumReader::builder(&schema).build().map_err(|error| error.to_string())?;
    let value = reader.read_value(&mut body).map_err(|error| error.to_string())?;
    Ok((frame.key, fields(&value)))
}

/// A record's fields, one a line.
fn fields(value: &Value) -> String {
    let Value::Record(fields) = value else { return format!("  {}", plain(&format!("{value:?}"))) };
    fields
        .iter()
        .map(|(name, value)| format!("  {}: {}", plain(name), plain(&written(value))))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The beginning of a long text, with its length.
fn short(text: String) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

/// A value as people write it, cut where it is long.
fn written(value: &Value) -> String {
    short(spelled(value))
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Union(_, value) => written(value),
        Value::String(text) | Value::Enum(_, text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::TimestampMillis(millis) => iso(*millis),
        Value::Decimal(decimal) => match Vec::<u8>::try_from(decimal) {
            Ok(bytes) => format!("{} (unscaled)", unscaled(&bytes)),
            Err(_) => format!("{decimal:?}"),
        },
        other => format!("{other:?}"),
    }
}

/// A decimal's number without its point: the schema says where it is.
fn unscaled(bytes: &[u8]) -> i128 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().take(16).fold(if negative { -1 } else { 0 }, |number, byte| (number << 8) | i128::from(*byte))
}

/// Bytes as text where they are text, else as hex.
fn text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    match std::str::from_utf8(bytes) {
        Ok(text) if matches!(plain(text), Cow::Borrowed(_)) => short(text.to_owned()),
        _ => short(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")),
    }
}

/// Sixteen bytes a line, with the characters beside them.
fn hex(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    for (line, part) in bytes.chunks(16).take(MOST / 16).enumerate() {
        let numbers = part.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        writeln!(out, "  {:04x}  {numbers:<47}  {}", line * 16, part.iter().map(shown).collect::<String>())?;
    }
    if bytes.len() > MOST {
        writeln!(out, "  … {} bytes more", bytes.len() - MOST)?;
    }
    Ok(())
}
