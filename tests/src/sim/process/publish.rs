//! The store, and the commits of the publish group, as a process meets them.

use rdkafka::error::KafkaError;
use stream_core::Offset;
use worker::publish::effects::{Commits, Files};
use worker::publish::{StoreError, Written};

use super::{Gone, Outside, timed_out};
use crate::sim::world::{BROKER, STORE};

impl Files for Outside {
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Written, StoreError> {
        let sim = self.sim();
        let full = || {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            StoreError::Write { path: path.into(), source }
        };
        sim.before(self.pid, "create").map_err(|Gone| full())?;
        if sim.world().is_away(STORE) {
            sim.world().tally.count("recovery: a file waited for the store");
            sim.next();
            return Err(full());
        }
        let written = sim.world().create(path, bytes);
        sim.after(self.pid).map_err(|Gone| full())?;
        Ok(written)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.sim().world().files.get(path).cloned())
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let prefix = format!("{folder}/");
        let world = self.sim();
        let world = world.world();
        let names = world.files.keys().filter_map(|path| path.strip_prefix(&prefix));
        Ok(names.filter(|name| !name.contains('/')).map(ToOwned::to_owned).collect())
    }
}

impl Commits for Outside {
    fn committed(&self, outputs: &[i32]) -> Result<Vec<Option<(Offset, String)>>, KafkaError> {
        let sim = self.sim();
        sim.before(self.pid, "publish ask").map_err(|Gone| timed_out())?;
        if sim.world().is_away(BROKER) {
            sim.next();
            return Err(timed_out());
        }
        let mut world = sim.world();
        if !world.publish_commits.is_empty() {
            world.tally.count("recovery: the publisher took up again");
        }
        Ok(outputs.iter().map(|output| world.publish_commits.get(output).cloned()).collect())
    }

    fn low(&self, _output: i32) -> Result<Offset, KafkaError> {
        Ok(Offset(0))
    }

    fn commit(&self, reached: &[(i32, Offset, String)]) -> Result<(), KafkaError> {
        let sim = self.sim();
        sim.before(self.pid, "publish commit").map_err(|Gone| timed_out())?;
        if sim.world().is_away(BROKER) {
            sim.next();
            return Err(timed_out());
        }
        for (output, position, metadata) in reached {
            sim.world().publish_commits.insert(*output, (*position, metadata.clone()));
        }
        sim.after(self.pid).map_err(|Gone| timed_out())
    }
}
