//! The reports of workers, read over HTTP.
//!
//! Kept true: a report that cannot be read in time is unknown, never empty.

use std::time::Duration;

use reqwest::Client;
use schemas::report::WorkerReport;

use super::answer::{self, http_client, innermost};
use super::{UnreachableWorker, Workers};
use crate::names::HTTP_PORT;

const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// Reads reports at `http://POD_IP:8080/v1/status`, and says farewell at `/v1/leave`.
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
        let answer = self.0.get(url(pod_ip, "status")).timeout(ANSWER_WAIT).send().await?;
        let body = answer::body(answer.error_for_status()?).await.map_err(|message| UnreachableWorker { message })?;
        serde_json::from_slice(&body).map_err(|error| UnreachableWorker { message: error.to_string() })
    }

    async fn farewell(&self, pod_ip: &str) -> Result<(), UnreachableWorker> {
        let answer = self.0.post(url(pod_ip, "leave")).timeout(ANSWER_WAIT).send().await?;
        answer.error_for_status()?;
        Ok(())
    }
}

fn url(pod_ip: &str, what: &str) -> String {
    let host = if pod_ip.contains(':') { format!("[{pod_ip}]") } else { pod_ip.to_owned() };
    format!("http://{host}:{HTTP_PORT}/v1/{what}")
}

impl From<reqwest::Error> for UnreachableWorker {
    fn from(error: reqwest::Error) -> Self {
        Self { message: innermost(&error) }
    }
}
