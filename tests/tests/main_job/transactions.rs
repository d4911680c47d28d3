//! Logs with transactions: their markers take offsets and are no records.

use anyhow::{Result, ensure};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::job::{Job, PATIENCE, plain};

#[test]
#[ignore = "needs servers: make test"]
fn a_log_that_ends_in_an_aborted_transaction_is_read_to_its_end() -> Result<()> {
    let job = Job::start()?;
    let mut config = job.kafka.client();
    let producer: ThreadedProducer<DefaultProducerContext> = config.set("transactional.id", "t").create()?;
    producer.init_transactions(PATIENCE)?;
    for commits in [true, false] {
        producer.begin_transaction()?;
        for partition in [0, 0, 0, 1] {
            let record = BaseRecord::<[u8], [u8]>::to("sales.events.v1").partition(partition).payload(b"no event");
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(PATIENCE)?;
        if commits { producer.commit_transaction(PATIENCE)? } else { producer.abort_transaction(PATIENCE)? }
    }
    let (_, reports) = job.run(&plain("transactions"))?;
    let partitions = reports.iter().flat_map(|report| &report.partitions);
    let read: Vec<_> = partitions.map(|partition| (partition.position, partition.ledger.undecodable)).collect();
    // Records and marker of both transactions; only the first one's records count.
    ensure!(read == [(8, 3), (4, 1), (0, 0)], "{read:?}");
    Ok(())
}
