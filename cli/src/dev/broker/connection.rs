//! One client connection: a frame in, a frame out, in order, until the client or the broker ends it.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;

use super::cluster::Cluster;
use super::requests;

/// Kafka's default for `socket.request.max.bytes`.
const LARGEST_FRAME: usize = 100 * 1024 * 1024;

/// Serves until the client goes away. An error says why the broker gave the connection up.
pub(super) fn serve(stream: &TcpStream, cluster: &Cluster) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(64 * 1024, stream);
    let mut output = stream;
    let mut frame = Vec::new();
    while !cluster.is_stopping() && read_frame(&mut input, &mut frame)? {
        let answer =
            requests::answer(&frame, cluster).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(answer) = answer {
            let length =
                i32::try_from(answer.len()).map_err(|_| io::Error::other("response is larger than a frame can be"))?;
            output.write_all(&length.to_be_bytes())?;
            output.write_all(&answer)?;
        }
    }
    Ok(())
}

/// False at the end of the stream, if it ends between two frames.
fn read_frame(input: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    }
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LARGEST_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "request is larger than 100 MiB"));
    }
    frame.resize(length, 0);
    input.read_exact(frame)?;
    Ok(true)
}
