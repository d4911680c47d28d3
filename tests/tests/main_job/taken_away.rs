//! A worker that is scaled away: its partitions do not wait for the end of its session.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use worker::{Config, Worker};

use crate::job::{Job, PATIENCE, until};

/// Well below a session, which lasts 45 s.
const SOON: Duration = Duration::from_secs(20);

fn owned(worker: &Worker) -> usize {
    worker.report().partitions.len()
}

#[test]
#[ignore = "needs servers: make test"]
fn a_worker_that_is_taken_away_leaves_its_partitions_at_once() -> Result<()> {
    let job = Job::start()?;
    job.produce(2_000, 0, 2_000)?;
    let plan = Arc::new(job.plan(&job.path("store"))?);
    let config = |number: u32| Config {
        static_member: true,
        publishes: number == 0,
        ..Config::new(plan.clone(), format!("revenue-5m-{number}"))
    };
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let (stays, goes) = (Worker::start(config(0))?, Worker::start(Config { http: Some(address), ..config(1) })?);
    until("both have partitions", || {
        Ok((owned(&stays) > 0 && owned(&goes) > 0 && owned(&stays) + owned(&goes) == 3).then_some(()))
    })?;
    let told = reqwest::blocking::Client::new().post(format!("http://{address}/v1/leave")).timeout(PATIENCE).send()?;
    ensure!(told.status().as_u16() == 204, "{told:?}");
    let asked = Instant::now();
    goes.request_stop();
    goes.join()?;
    until("the other has all partitions", || Ok((owned(&stays) == 3).then_some(())))?;
    ensure!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    Ok(())
}
