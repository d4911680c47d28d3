//! The embedded schema registry: the part of Confluent's HTTP interface that Avro clients use, on loopback, in memory.
//!
//! Subjects with versions, ids and GUIDs, references between schemas, look-ups, compatibility levels and checks. Not: deletion,
//! other formats than Avro, security, and survival: what it holds is gone when it stops.

mod compatibility;
mod http;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tokio::sync::oneshot;

/// Why the embedded registry is not there.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No port on loopback, or no thread.
    #[error("embedded registry cannot start: {0}")]
    Start(#[source] io::Error),
}

/// A running registry; dropping it stops it.
pub struct Registry {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Registry {
    /// Starts an empty registry on a free port of 127.0.0.1. It brings its own thread, so it can be started from
    /// anywhere.
    pub fn start() -> Result<Self, RegistryError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(RegistryError::Start)?;
        listener.set_nonblocking(true).map_err(RegistryError::Start)?;
        let address = listener.local_addr().map_err(RegistryError::Start)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(RegistryError::Start)?;
        let (stop, stopped) = oneshot::channel();
        let server = thread::Builder::new()
            .name("registry".into())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve(listener, stopped)) {
                    tracing::error!(%error, "embedded registry has stopped");
                }
            })
            .map_err(RegistryError::Start)?;
        Ok(Self { address, stop: Some(stop), server: Some(server) })
    }

    /// What clients are given: `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}

/// Runs until the other end of `stopped` is dropped. Connections that are open then are cut.
async fn serve(listener: TcpListener, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::select! {
        served = axum::serve(listener, http::routes()) => served,
        _ = stopped => Ok(()),
    }
}
