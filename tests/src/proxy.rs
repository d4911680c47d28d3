//! A door in front of a server: closed, nobody listens there (connections are refused); open, it passes bytes both ways.
//!
//! Keeps true: the address stays the same for the proxy's life; closing cuts every connection at once.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Result;

/// Loopback addresses of their own, where no other server and no client's outgoing connection takes the port meanwhile.
static NEXT_HOST: AtomicU8 = AtomicU8::new(2);

/// The door.
pub struct Proxy {
    address: SocketAddr,
    line: Option<(Arc<Line>, JoinHandle<()>)>,
}

/// One opening.
struct Line {
    address: SocketAddr,
    target: SocketAddr,
    closed: AtomicBool,
    /// Bytes that may still pass from the server before the line is cut.
    left: AtomicI64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A closed door.
    pub fn closed() -> Result<Self> {
        let host = Ipv4Addr::new(127, 0, 0, NEXT_HOST.fetch_add(1, Ordering::Relaxed));
        let address = TcpListener::bind((host, 0))?.local_addr()?;
        Ok(Self { address, line: None })
    }

    /// Where clients come.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens the way to `target`.
    pub fn open(&mut self, target: SocketAddr) -> Result<()> {
        self.open_for(target, i64::MAX)
    }

    /// Opens the way to `target` until so many bytes have come from it; then it is cut in the middle of whatever passes.
    pub fn open_for(&mut self, target: SocketAddr, bytes: i64) -> Result<()> {
        self.close();
        let listener = TcpListener::bind(self.address)?;
        let line = Arc::new(Line {
            address: self.address,
            target,
            closed: AtomicBool::new(false),
            left: AtomicI64::new(bytes),
            streams: Mutex::default(),
        });
        let acceptor = {
            let line = line.clone();
            std::thread::spawn(move || line.accept(&listener))
        };
        self.line = Some((line, acceptor));
        Ok(())
    }

    /// Whether bytes pass.
    pub fn is_open(&self) -> bool {
        self.line.as_ref().is_some_and(|(line, _)| !line.closed.load(Ordering::Acquire))
    }

    /// Closes it; returns when nobody listens any more.
    ///
    /// # Panics
    /// If the thread that listened did.
    pub fn close(&mut self) {
        if let Some((line, acceptor)) = self.line.take() {
            line.cut();
            acceptor.join().expect("loopback works");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

impl Line {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            let Ok(client) = client else { continue };
            let Ok(server) = TcpStream::connect(self.target) else { continue };
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("loopback works");
                self.streams().push(copy(stream));
            }
            if self.closed.load(Ordering::Acquire) {
                self.cut();
                return;
            }
            let (line, from_server, to_client) = (self.clone(), copy(&server), copy(&client));
            std::thread::spawn(move || pump(client, server, None));
            std::thread::spawn(move || pump(from_server, to_client, Some(&line)));
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        let was_closed = self.closed.swap(true, Ordering::AcqRel);
        for stream in self.streams().drain(..) {
            // It may be gone already, which is what is wanted.
            drop(stream.shutdown(Shutdown::Both));
        }
        if !was_closed {
            // The acceptor looks whether it should end when somebody connects.
            drop(TcpStream::connect(self.address));
        }
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a stream can be held twice")
}

/// Passes bytes on until one side ends. Those from the server count.
fn pump(mut from: TcpStream, mut to: TcpStream, counted: Option<&Line>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(line) = counted
            && line.left.fetch_sub(count as i64, Ordering::AcqRel) < count as i64
        {
            line.cut();
            return;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}
