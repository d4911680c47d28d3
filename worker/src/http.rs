//! HTTP: `/livez`, `/readyz`, `/metrics`, `/v1/status`, `/v1/windows`: everything comes from the status. The one thing that can be
//! told is `POST /v1/leave`: the operator is about to take this worker away for good.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use schemas::report::{WaitingWindow, WorkerReport};
use serde::Serialize;

use crate::metrics;
use crate::status::Status;
use crate::stop::Stop;

/// Troubles that make a worker unready; with any other it still does its work.
const UNREADY: [&str; 3] = ["BrokerUnreachable", "BrokerRefuses", "TopicMissing"];

/// What must be known of the pipeline to say when a window closes, milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Length of a window.
    pub size: i64,
    /// How far the watermark stays behind the largest event time.
    pub delay: i64,
}

/// Serves until the worker is to stop. Runs on the calling thread.
pub(crate) fn serve(
    listener: std::net::TcpListener,
    status: Arc<Status>,
    grid: Grid,
    stop: &Stop,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let router = router(status, grid, stop.clone());
        let stop = stop.clone();
        let stopped = async move {
            while !stop.is_requested() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    })
}

/// A socket for [`serve`], bound at once so that a taken port is told at the start.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn router(status: Arc<Status>, grid: Grid, stop: Stop) -> Router {
    let leave = move || async move {
        tracing::info!("this worker is to be taken away: when it stops it leaves the group for good");
        stop.expect_for_good();
        StatusCode::NO_CONTENT
    };
    Router::new()
        .route("/v1/leave", post(leave))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/v1/status", get(|State(status): State<Arc<Status>>| async move { Json(status.report()) }))
        .route(
            "/v1/windows",
            get(move |State(status): State<Arc<Status>>| async move { Json(windows(&status.report(), grid)) }),
        )
        .with_state(status)
}

async fn ready(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let report = status.report();
    match report.troubles.iter().find(|trouble| UNREADY.contains(&trouble.reason.as_str())) {
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}: {}", trouble.reason, trouble.message)),
        None => (StatusCode::OK, "ok".to_owned()),
    }
}

async fn scrape(State(status): State<Arc<Status>>) -> impl IntoResponse {
    match metrics::text(&status.report()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What `/v1/windows` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Windows {
    /// How far the partitions are that this worker owns: what open windows wait for.
    partitions: Vec<Reached>,
    /// Open windows of the partitions that this worker owns.
    open: Vec<OpenWindow>,
    /// Windows that wait to be published.
    waiting: Vec<WaitingWindow>,
    /// Windows that end by then are published.
    published_until: Option<i64>,
}

/// A partition: times in milliseconds; its lag is absent while the end of its log is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reached {
    partition: i32,
    watermark: Option<i64>,
    sealed: Option<i64>,
    latest: Option<i64>,
    lag: Option<i64>,
    idle: bool,
}

/// A window that is open on a partition, and the least event time that closes it there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenWindow {
    partition: i32,
    start: i64,
    end: i64,
    closed_by: i64,
    ids: u64,
    bytes: u64,
}

fn windows(report: &WorkerReport, grid: Grid) -> Windows {
    let open = report.partitions.iter().flat_map(|partition| {
        let of = partition.partition;
        partition.windows.iter().map(move |window| OpenWindow {
            partition: of,
            start: window.start,
            end: window.start + grid.size,
            closed_by: window.start + grid.size + grid.delay,
            ids: window.ids,
            bytes: window.bytes,
        })
    });
    let reached = report.partitions.iter().map(|of| Reached {
        partition: of.partition,
        watermark: of.watermark,
        sealed: of.sealed,
        latest: of.latest,
        lag: of.end.map(|end| end - of.position),
        idle: of.idle,
    });
    Windows {
        partitions: reached.collect(),
        open: open.collect(),
        waiting: report.outputs.iter().flat_map(|output| output.waiting.clone()).collect(),
        published_until: report.outputs.iter().filter_map(|output| output.published_until).min(),
    }
}

#[cfg(test)]
mod tests {
    use schemas::report::{PartitionReport, WindowReport};

    use super::*;

    fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let answer = reqwest::blocking::get(format!("http://{address}{path}")).expect("answers");
        (answer.status().as_u16(), answer.text().expect("is text"))
    }

    #[test]
    fn answers_from_the_status() {
        let status = Arc::new(Status::new("revenue-5m", 1, "worker-0"));
        let stop = Stop::default();
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("listens");
        let address = listener.local_addr().expect("has an address");
        let server = {
            let (status, stop) = (status.clone(), stop.clone());
            std::thread::spawn(move || serve(listener, status, Grid { size: 300, delay: 600 }, &stop))
        };
        status.set_partition(PartitionReport { partition: 2, position: 17, ..PartitionReport::default() });
        assert_eq!(get(address, "/livez"), (200, "ok".to_owned()));
        assert_eq!(get(address, "/readyz"), (200, "ok".to_owned()));
        status.trouble("broker", "BrokerUnreachable", "connection refused".to_owned());
        assert_eq!(get(address, "/readyz"), (503, "BrokerUnreachable: connection refused".to_owned()));
        let report: WorkerReport = serde_json::from_str(&get(address, "/v1/status").1).expect("parses");
        assert_eq!(report.partitions[0].position, 17);
        assert!(get(address, "/metrics").1.contains("sluice_position{partition=\"2\"} 17"));
        let windows = vec![WindowReport { start: 900, ids: 3, bytes: 80 }];
        let partition =
            PartitionReport { partition: 2, position: 17, watermark: Some(800), windows, ..Default::default() };
        status.set_partition(partition);
        let windows: serde_json::Value = serde_json::from_str(&get(address, "/v1/windows").1).expect("parses");
        assert_eq!((&windows["open"][0]["end"], &windows["open"][0]["closedBy"]), (&1200.into(), &1800.into()));
        assert_eq!(windows["partitions"][0]["watermark"], 800);
        stop.request();
        server.join().expect("does not panic").expect("serves");
    }
}
