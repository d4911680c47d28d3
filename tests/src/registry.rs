//! A real schema registry, on loopback or where the pods of a test cluster look for this machine: Apicurio through its
//! Confluent-compatible interface, set to refuse schemas that are not backward compatible.
//!
//! Its schemas lie in a folder that goes away with it, so they survive a kill and a restart.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use serde_json::json;
use tempfile::TempDir;

use crate::server::{Server, free_ports_at};
use crate::setup::{blocking, installed};

/// A running, or killed, registry.
pub struct Registry {
    /// What clients are given, with the path of the compatible interface.
    pub url: String,
    folder: TempDir,
    host: Ipv4Addr,
    ports: [u16; 2],
    server: Server,
}

impl Registry {
    /// Starts an empty registry and returns when it serves.
    ///
    /// # Errors
    /// It cannot be fetched or does not come up; with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    /// The same, on an address of this machine.
    ///
    /// # Errors
    /// Those of [`Registry::start`].
    pub fn start_at(host: Ipv4Addr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports_at(host)?;
        let url = format!("http://{host}:{}/apis/ccompat/v7", ports[0]);
        let server = serve(&folder, host, ports, &url)?;
        let registry = Self { url, folder, host, ports, server };
        registry.enforce_backward_compatibility()?;
        Ok(registry)
    }

    /// Ends the process at once (SIGKILL). Its schemas stay.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again, after a kill or instead of a running one, on the same address with the same schemas.
    ///
    /// # Errors
    /// It does not come up; with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.server = serve(&self.folder, self.host, self.ports, &self.url)?;
        Ok(())
    }

    fn enforce_backward_compatibility(&self) -> Result<()> {
        blocking(|| {
            let level = json!({"compatibility": "BACKWARD"});
            let answer = Client::new().put(format!("{}/config", self.url)).json(&level).send()?;
            ensure!(answer.status().is_success(), "set the compatibility level: {}", answer.text()?);
            Ok(())
        })
    }

    /// Registers an Avro schema and gives its id.
    ///
    /// # Errors
    /// The registry refuses, or is not there.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        blocking(|| {
            let url = format!("{}/subjects/{subject}/versions", self.url);
            let answer = Client::new().post(url).json(&json!({"schema": schema})).send()?;
            let (status, body) = (answer.status(), answer.text()?);
            ensure!(status.is_success(), "register in '{subject}': {status}: {body}");
            let body: serde_json::Value = serde_json::from_str(&body)?;
            let id = body["id"].as_u64().with_context(|| format!("an id in {body}"))?;
            Ok(u32::try_from(id)?)
        })
    }
}

fn serve(folder: &TempDir, host: Ipv4Addr, [port, management]: [u16; 2], url: &str) -> Result<Server> {
    let database = folder.path().join("schemas");
    let mut command = Command::new(installed("java")?);
    command
        // The first compiler only: it starts sooner, and has little to do later.
        .args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        .arg(format!("-Dquarkus.http.host={host}"))
        .arg("-Dquarkus.management.host=127.0.0.1")
        .arg(format!("-Dquarkus.http.port={port}"))
        .arg(format!("-Dquarkus.management.port={management}"))
        .arg(format!("-Dapicurio.datasource.url=jdbc:h2:file:{}", database.display()))
        .arg("-jar")
        .arg(installed("registry")?.join("quarkus-run.jar"));
    let probe = blocking(|| Ok(Client::builder().timeout(Duration::from_secs(1)).build()?))?;
    let is_ready = || {
        let subjects = || Ok(probe.get(format!("{url}/subjects")).send()?.status().is_success());
        blocking(subjects).unwrap_or(false)
    };
    Server::start("registry", command, folder.path(), is_ready)
}
