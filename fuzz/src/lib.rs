//! Probes: each feeds bytes to one reader of what others wrote, and panics when the reader panics or breaks its word.
//!
//! `make fuzz` lets libFuzzer look for such bytes; `corpus/` keeps what it found worth keeping, and an ordinary test runs the
//! probes over all of it.

#![expect(clippy::missing_panics_doc, reason = "a panic is what a probe is for")]

pub mod avro;
pub mod checkpoint;
pub mod framing;
pub mod partial;
pub mod progress;
mod record;
pub mod report;
mod sale;
pub mod seeds;
mod world;

/// A probe by its name, which is also its corpus's.
pub type Probe = (&'static str, fn(&[u8]));

/// All of them.
pub const PROBES: [Probe; 6] = [
    ("framing", framing::probe),
    ("avro", avro::probe),
    ("partial", partial::probe),
    ("report", report::probe),
    ("checkpoint", checkpoint::probe),
    ("progress", progress::probe),
];

/// Lets a panic that ends inside the reader of an Arrow stream be: libFuzzer's own hook takes every panic as a crash.
pub fn allow_caught_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !worker::arrow_stream::is_reading() {
                hook(panic);
            }
        }));
    });
}

/// Cuts `data` into pieces of which each is preceded by its length (u16, little endian); the last is what is left.
pub(crate) fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes(*length))));
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// The opposite of [`pieces`], for pieces of at most 65,535 bytes.
pub(crate) fn joined<T: AsRef<[u8]>>(pieces: &[T]) -> Vec<u8> {
    let piece = |piece: &T| [&(piece.as_ref().len() as u16).to_le_bytes()[..], piece.as_ref()].concat();
    pieces.iter().flat_map(piece).collect()
}
