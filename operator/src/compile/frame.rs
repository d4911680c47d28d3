//! How the two processes talk: the length in four bytes, big-endian, then as many bytes of JSON.

/// Longest text of either side. Kubernetes takes no object beyond 3 MiB, and the schema may come from a second one.
pub const MOST: usize = 8 << 20;

/// The four bytes ahead of `body`; `None` if it is too long.
pub fn head(body: &[u8]) -> Option<[u8; 4]> {
    (body.len() <= MOST).then(|| (body.len() as u32).to_be_bytes())
}

/// The length that `head` announces; `None` if it is too long.
pub fn length(head: [u8; 4]) -> Option<usize> {
    Some(u32::from_be_bytes(head) as usize).filter(|length| *length <= MOST)
}
