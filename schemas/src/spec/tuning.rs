//! The librdkafka properties that a manifest may set: those that change how fast or how patiently Kafka is used, and nothing else.
//!
//! It is a list of what is allowed, because librdkafka also has properties that load code, read files, change what a client reads or hide
//! from whom it reads. Only the names of librdkafka's CONFIGURATION.md stand here, not their aliases: of two names of one property it is not
//! defined which one wins. Bounds are librdkafka's own, narrower where two properties must agree.

/// A property that a manifest may set.
#[derive(Debug, Clone, Copy)]
pub struct Tunable {
    /// librdkafka's name.
    pub name: &'static str,
    /// Its values.
    pub values: TunableValues,
}

/// The values of a property.
#[derive(Debug, Clone, Copy)]
pub enum TunableValues {
    /// Whole numbers, both bounds included.
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Printable ASCII.
    Text,
}

use TunableValues::{OneOf, Switch, Text, Whole};

/// All of them, by name.
pub const TUNABLE_PROPERTIES: &[Tunable] = &[
    tunable("batch.num.messages", Whole(1, 1_000_000)),
    tunable("batch.size", Whole(1, 2_147_483_647)),
    tunable("broker.address.family", OneOf(&["any", "v4", "v6"])),
    tunable("broker.address.ttl", Whole(0, 86_400_000)),
    tunable("check.crcs", Switch),
    tunable("client.dns.lookup", OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    tunable("client.id", Text),
    tunable("client.rack", Text),
    tunable("compression.codec", OneOf(&["none", "gzip", "snappy", "lz4", "zstd"])),
    tunable("compression.level", Whole(-1, 12)),
    tunable("connections.max.idle.ms", Whole(0, 2_147_483_647)),
    tunable("fetch.error.backoff.ms", Whole(0, 300_000)),
    tunable("fetch.message.max.bytes", Whole(1, 50_000_000)),
    tunable("fetch.min.bytes", Whole(1, 100_000_000)),
    tunable("fetch.queue.backoff.ms", Whole(0, 300_000)),
    tunable("fetch.wait.max.ms", Whole(0, 5_000)),
    tunable("heartbeat.interval.ms", Whole(1, 5_999)),
    tunable("message.max.bytes", Whole(1_000_000, 50_000_000)),
    tunable("metadata.max.age.ms", Whole(1, 86_400_000)),
    tunable("queue.buffering.max.kbytes", Whole(1, 2_147_483_647)),
    tunable("queue.buffering.max.messages", Whole(1, 2_147_483_647)),
    tunable("queue.buffering.max.ms", Whole(0, 900_000)),
    tunable("queued.max.messages.kbytes", Whole(1, 2_097_151)),
    tunable("queued.min.messages", Whole(1, 10_000_000)),
    tunable("reconnect.backoff.max.ms", Whole(1_000, 3_600_000)),
    tunable("reconnect.backoff.ms", Whole(0, 1_000)),
    tunable("retry.backoff.max.ms", Whole(1_000, 300_000)),
    tunable("retry.backoff.ms", Whole(1, 1_000)),
    tunable("session.timeout.ms", Whole(6_000, 300_000)),
    tunable("socket.connection.setup.timeout.ms", Whole(1_000, 2_147_483_647)),
    tunable("socket.keepalive.enable", Switch),
    tunable("socket.max.fails", Whole(0, 1_000_000)),
    tunable("socket.nagle.disable", Switch),
    tunable("socket.receive.buffer.bytes", Whole(0, 100_000_000)),
    tunable("socket.send.buffer.bytes", Whole(0, 100_000_000)),
    tunable("socket.timeout.ms", Whole(10_000, 300_000)),
    tunable("topic.metadata.refresh.interval.ms", Whole(-1, 3_600_000)),
];

/// Names under which librdkafka, Java's client or other documentation know one of them.
pub const PROPERTY_ALIASES: &[(&str, &str)] = &[
    ("linger.ms", "queue.buffering.max.ms"),
    ("compression.type", "compression.codec"),
    ("buffer.memory", "queue.buffering.max.kbytes"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("metadata.request.timeout.ms", "socket.timeout.ms"),
    ("request.timeout.ms", "socket.timeout.ms"),
];

const fn tunable(name: &'static str, values: TunableValues) -> Tunable {
    Tunable { name, values }
}

impl TunableValues {
    /// What is allowed, for people.
    pub fn allowed(&self) -> String {
        match self {
            Whole(least, most) => format!("allowed are whole numbers from {least} to {most}"),
            Switch => "allowed are 'true' and 'false'".to_owned(),
            OneOf(words) => format!("allowed are '{}'", words.join("', '")),
            Text => "allowed are 1 to 128 printable ASCII characters".to_owned(),
        }
    }

    /// Whether `value` is one of them.
    pub fn allow(&self, value: &str) -> bool {
        match self {
            Whole(least, most) => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                digits.bytes().all(|byte| byte.is_ascii_digit())
                    && value.parse::<i64>().is_ok_and(|value| (*least..=*most).contains(&value))
            }
            Switch => matches!(value, "true" | "false"),
            OneOf(words) => words.contains(&value),
            Text => (1..=128).contains(&value.len()) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        }
    }
}
