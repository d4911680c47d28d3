//! The nodes of YAML documents with their places: what finds the line and column of any path of a manifest.
//!
//! Keeps true: every node and key knows its bytes in the file; aliases stand for what they name, within a limit on the
//! number of nodes, so that a small file cannot become a large tree.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScanError, Span};
use plan::{Path, Segment};
use serde_json::{Map, Value};

use super::scalar::Scalar;

/// Nodes that one file may have, aliases resolved.
const MOST_NODES: usize = 100_000;

/// A value and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Its bytes in the file.
    pub place: Range<usize>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A scalar.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; a key may be there twice.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's bytes in the file.
    pub key_place: Range<usize>,
    /// The value.
    pub value: Node,
}

/// Why the rest of a file could not be read as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub message: String,
    /// Where reading stopped, a byte of the file.
    pub byte: usize,
}

/// The documents of a file that could be read, and what stopped the reading.
pub fn parse(text: &str) -> (Vec<Node>, Option<Malformed>) {
    let mut reader = Reader { events: Parser::new_from_str(text), text, anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.document() {
            Ok(Some(document)) => documents.push(document),
            Ok(None) => return (documents, None),
            Err(malformed) => return (documents, Some(malformed)),
        }
    }
}

impl Node {
    /// The entry of that key; the last one if it is there twice.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The string at that key.
    pub fn text(&self, key: &str) -> Option<String> {
        self.entry(key).and_then(|entry| entry.value.value().as_str().map(str::to_owned))
    }

    /// The JSON value that it stands for.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value(),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.value())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where to point for a path and, for a scalar, bytes of its text: at the scalar, at the key of a collection, or at
    /// the nearest node above where the path leads nowhere.
    pub fn locate(&self, file: &str, path: &Path, within: Option<&Range<usize>>) -> Range<usize> {
        let mut node = self;
        let mut pointer = self.start();
        for segment in &path.0 {
            let next = match (segment, &node.content) {
                (Segment::Key(key), _) => node.entry(key).map(|entry| (&entry.value, entry.key_place.clone())),
                (Segment::Index(index), Content::List(items)) => items.get(*index).map(|item| (item, item.start())),
                (Segment::Index(_), _) => None,
            };
            let Some((child, at)) = next else { return pointer };
            (node, pointer) = (child, at);
        }
        match (&node.content, within) {
            (Content::Scalar(scalar), Some(within)) => scalar.locate(file, &node.place, within),
            (Content::Scalar(_), None) if !node.place.is_empty() => node.place.clone(),
            _ => pointer,
        }
    }

    /// Where the last key of a path is.
    pub fn key(&self, path: &Path) -> Option<Range<usize>> {
        let mut node = self;
        let mut key = None;
        for segment in &path.0 {
            node = match (segment, &node.content) {
                (Segment::Key(name), _) => {
                    let entry = node.entry(name)?;
                    key = Some(entry.key_place.clone());
                    &entry.value
                }
                (Segment::Index(index), Content::List(items)) => items.get(*index)?,
                (Segment::Index(_), _) => return None,
            };
        }
        key
    }

    /// The node, or for a collection what it starts with.
    fn start(&self) -> Range<usize> {
        match &self.content {
            Content::Scalar(_) => self.place.clone(),
            Content::List(items) => items.first().map_or_else(|| self.place.clone(), Self::start),
            Content::Map(entries) => {
                entries.first().map_or_else(|| self.place.clone(), |entry| entry.key_place.clone())
            }
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Node>, Malformed> {
        loop {
            match self.next()? {
                Some((Event::StreamStart | Event::DocumentEnd, _)) => {}
                Some((Event::DocumentStart(..), _)) => {
                    let (event, span) = self.content()?;
                    return self.node(event, span).map(Some);
                }
                _ => return Ok(None),
            }
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Malformed> {
        loop {
            match self.events.next_event().transpose().map_err(|error| Malformed::of(&error, self.text))? {
                Some((Event::Comment(..), _)) => {}
                event => return Ok(event),
            }
        }
    }

    fn content(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        let end = self.text.len();
        self.next()?
            .ok_or_else(|| Malformed { message: "the file ends in the middle of a value".to_owned(), byte: end })
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Malformed> {
        self.count(1, &span)?;
        let mut place = self.bytes(&span);
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tagged_string = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                (Content::Scalar(Scalar { text: text.into_owned(), style, tagged_string }), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, end) = self.list()?;
                place.end = end.max(place.end);
                (Content::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.map()?;
                place.end = end.max(place.end);
                (Content::Map(entries), anchor)
            }
            Event::Alias(id) => return self.alias(id, &span),
            _ => return Err(Malformed { message: "expected a value".to_owned(), byte: place.start }),
        };
        let node = Node { content, place };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<(Vec<Node>, usize), Malformed> {
        let mut items = Vec::new();
        loop {
            match self.content()? {
                (Event::SequenceEnd, span) => return Ok((items, self.bytes(&span).end)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<(Vec<Entry>, usize), Malformed> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.content()?;
            if event == Event::MappingEnd {
                return Ok((entries, self.bytes(&span).end));
            }
            let key = self.node(event, span)?;
            let Content::Scalar(scalar) = key.content else {
                let (before, after) = self.text.split_at(key.place.start);
                let message = if before.ends_with('{') && after.starts_with('{') {
                    "'{{' begins a template's field: fill the template in first, for example with 'helm template'"
                } else {
                    "a key is a list or a mapping: allowed is a name"
                };
                let message = message.to_owned();
                return Err(Malformed { message, byte: key.place.start });
            };
            let (event, span) = self.content()?;
            entries.push(Entry { key: scalar.text, key_place: key.place, value: self.node(event, span)? });
        }
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, Malformed> {
        let byte = self.bytes(span).start;
        let unknown = || Malformed { message: "an alias names a value that contains it".to_owned(), byte };
        let node = self.anchors.get(&id).cloned().ok_or_else(unknown)?;
        self.count(node.size(), span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Malformed> {
        self.nodes += nodes;
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        let message = format!("more than {MOST_NODES} values, aliases resolved");
        Err(Malformed { message, byte: self.bytes(span).start })
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let start = span.start.byte_offset().unwrap_or(0).min(self.text.len());
        let end = span.end.byte_offset().unwrap_or(start).clamp(start, self.text.len());
        start..start + self.text[start..end].trim_end().len()
    }
}

impl Node {
    fn size(&self) -> usize {
        match &self.content {
            Content::Scalar(_) => 1,
            Content::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }
}

impl Malformed {
    fn of(error: &ScanError, text: &str) -> Self {
        let byte = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
        Self { message: error.kind().to_string(), byte }
    }
}
