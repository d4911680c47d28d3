//! A real Kubernetes API server with its etcd, on loopback and alone: no controllers, no nodes. What it refuses, fills in and
//! shows is what a cluster refuses, fills in and shows.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Server, free_ports};
use crate::setup::{blocking, installed};

const TOKEN: &str = "only-on-loopback";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running API server. Its data goes away with it.
pub struct ApiServer {
    url: String,
    client: Client,
    _api: Server,
    _etcd: Server,
    _folder: TempDir,
}

/// What the API server answered.
#[derive(Debug)]
pub struct Reply {
    /// Status code of HTTP.
    pub code: u16,
    /// The object, or the `Status` that says why not.
    pub body: Value,
    /// What it warned of.
    pub warnings: Vec<String>,
}

impl ApiServer {
    /// Starts an empty API server and returns when it serves.
    ///
    /// # Errors
    /// It cannot be built or does not come up; with the end of its log.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [port, store, peers] = free_ports()?;
        let (store, url) = (format!("http://127.0.0.1:{store}"), format!("https://127.0.0.1:{port}"));
        let client = blocking(|| {
            // The server makes its certificate itself, a moment before the first call.
            Ok(Client::builder().danger_accept_invalid_certs(true).timeout(PATIENCE).build()?)
        })?;
        let is_ready = |url: &str| {
            let answer = blocking(|| Ok(client.get(url).bearer_auth(TOKEN).send()?.status().is_success()));
            answer.unwrap_or(false)
        };
        let health = format!("{store}/health");
        let etcd = Server::start("etcd", etcd(&folder, &store, peers)?, folder.path(), || is_ready(&health))?;
        let ready = format!("{url}/readyz");
        let api = Server::start("kube-apiserver", api(&folder, &store, port)?, folder.path(), || is_ready(&ready))?;
        Ok(Self { url, client, _api: api, _etcd: etcd, _folder: folder })
    }

    /// Calls `path` (with its query) with an object, as an administrator.
    ///
    /// # Errors
    /// There is no answer. A refusal is a reply.
    pub fn call(&self, method: Method, path: &str, object: Option<&Value>) -> Result<Reply> {
        blocking(|| {
            let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN);
            if let Some(object) = object {
                request = request.json(object);
            }
            let reply = request.send()?;
            let warnings = reply.headers().get_all("warning").iter();
            let warnings = warnings.filter_map(|warning| warning.to_str().ok().map(str::to_owned)).collect();
            Ok(Reply { code: reply.status().as_u16(), warnings, body: reply.json()? })
        })
    }

    /// The object at `path` as kubectl shows it: columns and rows.
    ///
    /// # Errors
    /// There is no answer.
    pub fn table(&self, path: &str) -> Result<Value> {
        blocking(|| {
            let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(TOKEN);
            Ok(request.header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io").send()?.json()?)
        })
    }

    /// Installs a resource, and returns when the API server serves it at `path`.
    ///
    /// # Errors
    /// It is refused, or warned of, or not served in time.
    pub fn define(&self, definition: &Value, path: &str) -> Result<()> {
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let reply = self.call(Method::POST, definitions, Some(definition))?;
        ensure!(reply.code == 201 && reply.warnings.is_empty(), "the definition is not taken as it is: {reply:?}");
        let deadline = Instant::now() + PATIENCE;
        while self.call(Method::GET, path, None).map_or(0, |reply| reply.code) != 200 {
            ensure!(Instant::now() < deadline, "'{path}' is not served");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

fn etcd(folder: &TempDir, address: &str, peers: u16) -> Result<Command> {
    let peers = format!("http://127.0.0.1:{peers}");
    let mut command = Command::new(installed("cluster")?.join("etcd"));
    command.args(["--unsafe-no-fsync", "--log-level", "warn", "--data-dir"]).arg(folder.path().join("etcd"));
    command.args(["--listen-client-urls", address, "--advertise-client-urls", address]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    Ok(command)
}

fn api(folder: &TempDir, store: &str, port: u16) -> Result<Command> {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let key = file("accounts.key");
    let made =
        Command::new("openssl").args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]).output();
    ensure!(made.context("run openssl")?.status.success(), "openssl makes no key");
    fs::write(file("tokens.csv"), format!("{TOKEN},admin,admin,\"system:masters\"\n"))?;
    let mut command = Command::new(installed("cluster")?.join("kube-apiserver"));
    command.args([
        format!("--etcd-servers={store}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={key}"),
        format!("--service-account-signing-key-file={key}"),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--cert-dir={}", file("certificates")),
    ]);
    Ok(command)
}
