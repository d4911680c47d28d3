//! What every Kafka client of the worker is configured with.

use plan::Plan;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// A client does not hold a property on which a guarantee rests.
#[derive(Debug, Error)]
pub enum BindingError {
    /// The client refuses the configuration.
    #[error("the kafka client refuses its configuration: {source}")]
    Configure {
        /// The client's error.
        #[from]
        source: KafkaError,
    },
    /// It holds something else.
    #[error("the kafka client holds '{held}' for '{name}', expected '{wanted}'")]
    Other {
        /// The property.
        name: &'static str,
        /// What the client holds.
        held: String,
        /// What was asked for.
        wanted: &'static str,
    },
}

/// Asks librdkafka what it makes of `config`, and compares it with `binding`: another property of the configuration might have
/// changed one of those under a second name.
///
/// # Errors
/// The first of `binding` that is not held as it stands there.
pub fn expect_to_hold(config: &ClientConfig, binding: &[(&'static str, &'static str)]) -> Result<(), BindingError> {
    let native = config.create_native_config()?;
    for (name, wanted) in binding.iter().copied() {
        let held = native.get(name)?;
        let is_all = name == "acks" && wanted == "all" && held == "-1";
        if held != wanted && !is_all {
            return Err(BindingError::Other { name, held, wanted });
        }
    }
    Ok(())
}

/// Brokers, security and the user's further properties.
pub fn client(plan: &Plan) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in &plan.kafka.properties {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &plan.kafka.bootstrap);
    config
}

/// The group under which publish progress of the consumer group `group` is committed. Its members assign partitions to
/// themselves: a member of `group` itself could not commit for a topic that it is not subscribed to.
pub fn publish_group(group: &str) -> String {
    format!("{group}.publish")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: &[(&str, &str)] =
        &[("acks", "all"), ("auto.offset.reset", "error"), ("enable.auto.commit", "false")];

    fn held(more: &[(&str, &str)]) -> Result<(), String> {
        let mut config = ClientConfig::new();
        for (name, value) in BINDING.iter().chain(more) {
            config.set(*name, *value);
        }
        expect_to_hold(&config, BINDING).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_client_holds_is_what_was_asked_for() {
        assert_eq!(held(&[]), Ok(()));
        assert_eq!(held(&[("fetch.wait.max.ms", "17")]), Ok(()));
        let acks = "the kafka client holds '1' for 'acks', expected 'all'".to_owned();
        // The order in which two names of one property are set is not defined.
        assert!([Ok(()), Err(acks)].contains(&held(&[("request.required.acks", "1")])));
        assert!(held(&[("no.such.thing", "1")]).is_err_and(|error| error.contains("no.such.thing")));
    }

    /// Every value that a manifest may give makes clients of both kinds, each property at both of its ends, and all together.
    #[test]
    fn what_a_manifest_may_set_is_what_the_client_takes() {
        use rdkafka::consumer::BaseConsumer;
        use rdkafka::producer::BaseProducer;
        use schemas::spec::{TUNABLE_PROPERTIES, TunableValues};

        use crate::source::SourceSettings;

        let ends = |values: TunableValues| match values {
            TunableValues::Whole(least, most) => vec![least.to_string(), most.to_string()],
            TunableValues::Switch => vec!["true".to_owned(), "false".to_owned()],
            TunableValues::OneOf(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            TunableValues::Text => vec!["a b".to_owned()],
        };
        let create = |set: &dyn Fn(&mut ClientConfig)| {
            let mut given = ClientConfig::new();
            set(&mut given);
            let properties = given.config_map().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let (properties, group) = (properties.collect(), "g".to_owned());
            let settings = SourceSettings { group, properties, ..SourceSettings::default() };
            let consumer = settings.client_config().create::<BaseConsumer>().map(drop);
            consumer.and(crate::produce::configured(&given, 1_000_000).create::<BaseProducer>().map(drop))
        };
        for tunable in TUNABLE_PROPERTIES {
            for value in ends(tunable.values) {
                assert!(tunable.values.allow(&value), "{} {value}", tunable.name);
                let made = create(&|config| {
                    config.set(tunable.name, &value);
                });
                assert!(made.is_ok(), "{} {value}: {made:?}", tunable.name);
            }
        }
        for end in [0, usize::MAX] {
            let made = create(&|config| {
                for tunable in TUNABLE_PROPERTIES {
                    let values = ends(tunable.values);
                    config.set(tunable.name, &values[end.min(values.len() - 1)]);
                }
            });
            assert!(made.is_ok(), "all at end {end}: {made:?}");
        }
    }
}
