//! The embedded broker: one Kafka broker in this process, on loopback, as far as `sluice dev` needs one.
//!
//! Any Kafka client can use it: topics, idempotent producing, fetching, offsets by time, consumer groups with several
//! members and any assignor, commits with metadata, log-append time. Not: transactions, replication, retention,
//! security, and survival: what it holds is gone when it stops. Records lie in files without names, so memory stays
//! small, and nothing is left behind however the process ends.

mod batch;
mod cluster;
mod codes;
mod connection;
mod group;
#[cfg(test)]
mod group_tests;
mod groups;
mod log;
mod requests;
#[cfg(test)]
mod tests;
mod topics;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use thiserror::Error;

use cluster::Cluster;
use codes::ErrorCode;
pub use log::TimestampType;
use topics::{NewTopic, Topics};

/// Why the embedded broker did not do what it was asked to.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// No port on loopback, or no thread.
    #[error("embedded broker cannot start: {0}")]
    Start(#[source] io::Error),
    /// The topic is there already.
    #[error("embedded broker has a topic '{0}' already")]
    TopicExists(String),
    /// The name, the number of partitions or the folder does not allow it.
    #[error(
        "embedded broker cannot create topic '{name}' with {partitions} partitions: allowed are names of \
         letters, digits, '.', '_' and '-', and 1 to 1000 partitions, in a folder that can be written to"
    )]
    CreateTopic {
        /// As asked for.
        name: String,
        /// As asked for.
        partitions: i32,
    },
}

/// A running broker; dropping it stops it and closes its connections.
pub struct Broker {
    cluster: Arc<Cluster>,
    /// Where it listens, which need not be where clients are told to come.
    address: SocketAddr,
    connections: Arc<Connections>,
    acceptor: Option<JoinHandle<()>>,
}

/// The open connections, so that they can be closed.
#[derive(Default)]
struct Connections {
    open: Mutex<HashMap<SocketAddr, TcpStream>>,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1 whose records lie in `folder`, which must exist.
    pub fn start(folder: &Path) -> Result<Self, BrokerError> {
        Self::start_behind(folder, None)
    }

    /// The same, but clients are told to come to `front`, such as a proxy that leads to [`Broker::address`].
    pub fn start_behind(folder: &Path, front: Option<SocketAddr>) -> Result<Self, BrokerError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(BrokerError::Start)?;
        let address = listener.local_addr().map_err(BrokerError::Start)?;
        let cluster = Arc::new(Cluster::new(front.unwrap_or(address), Topics::new(folder.to_owned())));
        let connections = Arc::new(Connections::default());
        let acceptor = {
            let (cluster, connections) = (Arc::clone(&cluster), Arc::clone(&connections));
            thread::Builder::new()
                .name("broker".into())
                .spawn(move || accept(&listener, &cluster, &connections))
                .map_err(BrokerError::Start)?
        };
        Ok(Self { cluster, address, connections, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients connect to, as `127.0.0.1:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.address.to_string()
    }

    /// Creates an empty topic.
    pub fn create_topic(&self, name: &str, partitions: i32, timestamps: TimestampType) -> Result<(), BrokerError> {
        let new =
            NewTopic { name: name.to_owned(), partitions, timestamps, max_message_bytes: topics::MAX_MESSAGE_BYTES };
        self.cluster.topics.create(&new).map_err(|code| match code {
            ErrorCode::TopicAlreadyExists => BrokerError::TopicExists(name.to_owned()),
            _ => BrokerError::CreateTopic { name: name.to_owned(), partitions },
        })
    }

    /// The offset that the next record of this partition gets; None if there is no such partition.
    pub fn next_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        let topic = self.cluster.topics.find(topic).ok()?;
        let log = topic.log(partition).ok()?;
        Some(log.next_offset())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.cluster.stop();
        // The acceptor looks whether it should stop when somebody connects.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
        self.connections.close();
    }
}

fn accept(listener: &TcpListener, cluster: &Arc<Cluster>, connections: &Arc<Connections>) {
    for stream in listener.incoming() {
        if cluster.is_stopping() {
            return;
        }
        let (cluster, connections) = (Arc::clone(cluster), Arc::clone(connections));
        let served = stream.and_then(|stream| {
            let peer = stream.peer_addr()?;
            connections.add(peer, stream.try_clone()?);
            thread::Builder::new().name("broker-client".into()).spawn(move || {
                if let Err(error) = connection::serve(&stream, &cluster) {
                    tracing::debug!(%peer, %error, "embedded broker closes a connection");
                }
                connections.remove(peer);
            })
        });
        if let Err(error) = served {
            tracing::warn!(%error, "embedded broker cannot take a connection");
        }
    }
}

impl Connections {
    fn add(&self, peer: SocketAddr, stream: TcpStream) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(peer, stream);
    }

    fn remove(&self, peer: SocketAddr) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = open.remove(&peer) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, stream) in open.drain() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}
