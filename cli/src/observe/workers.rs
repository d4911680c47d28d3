//! The workers' own reports, over HTTP.

use schemas::report::WorkerReport;

use super::{ASK, ObserveError};

/// Where workers answer.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WorkerArgs {
    /// Where a worker answers /v1/status (as `sluice dev --http` and the workers' pods do), several times for several; without
    /// any, what Kafka knows is shown
    #[arg(long = "worker", value_name = "ADDR", env = "SLUICE_WORKERS", value_delimiter = ',')]
    pub workers: Vec<String>,
}

impl WorkerArgs {
    /// Asks all of them: the reports, and those who gave none with the reason.
    pub(super) fn ask(&self) -> Result<(Vec<WorkerReport>, Vec<String>), ObserveError> {
        let (mut reports, mut silent) = (Vec::new(), Vec::new());
        if self.workers.is_empty() {
            return Ok((reports, silent));
        }
        let client = reqwest::blocking::Client::builder().timeout(ASK).build().map_err(ObserveError::MakeClient)?;
        for address in &self.workers {
            let base = if address.contains("://") { address.clone() } else { format!("http://{address}") };
            let url = format!("{}/v1/status", base.trim_end_matches('/'));
            let answer = client.get(url).send().and_then(|answer| answer.error_for_status()?.text());
            let report = answer.map_err(|error| worker::registry::innermost(&error));
            match report.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string())) {
                Ok(report) => reports.push(report),
                Err(why) => silent.push(format!("worker '{address}' does not answer: {why}")),
            }
        }
        Ok((reports, silent))
    }
}
