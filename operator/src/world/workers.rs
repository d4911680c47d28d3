//! The reports of workers, read over HTTP.
//!
//! Kept true: a report that cannot be read in time is unknown, never empty.

use std::time::Duration;

use reqwest::Client;
use schemas::report::WorkerReport;

use super::registry::{http_client, innermost};
use super::{UnreachableWorker, Workers};
use crate::names::HTTP_PORT;

const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// Reads reports at `http://POD_IP:8080/v1/status`.
#[derive(Clone)]
pub struct WorkerHttp(Client);

impl WorkerHttp {
    /// Nothing is asked yet.
    pub fn new() -> Self {
        Self(http_client())
    }
}

impl Default for WorkerHttp {
    fn default() -> Self {
        Self::new()
    }
}

impl Workers for WorkerHttp {
    async fn report(&self, pod_ip: &str) -> Result<WorkerReport, UnreachableWorker> {
        let host = if pod_ip.contains(':') { format!("[{pod_ip}]") } else { pod_ip.to_owned() };
        let url = format!("http://{host}:{HTTP_PORT}/v1/status");
        let failed = |error: reqwest::Error| UnreachableWorker { message: innermost(&error) };
        let answer = self.0.get(&url).timeout(ANSWER_WAIT).send().await.map_err(failed)?;
        answer.error_for_status().map_err(failed)?.json().await.map_err(failed)
    }
}
