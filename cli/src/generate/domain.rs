//! The sample domain: the vocabulary of the sales events, and one event before it is encoded.
//!
//! Keeps true: every value of a label but the last (`WRONG_…`) obeys the quickstart's rules; index 0 is null. A `Draft`
//! is small and `Copy`, so that recent events can be kept to be sent again.

/// The Avro schema of the sample events, as registered.
pub const SALES_EVENT_AVSC: &str = include_str!("../../../schemas/avro/sales_event.avsc");

/// What happened; never null.
pub const EVENT_TYPES: [&str; 4] = ["purchase", "renewal", "upgrade", "usage"];
/// Plan tiers by label; 0 is null, the last one is not allowed by the quickstart.
pub const PLAN_TIERS: [Option<&str>; 6] =
    [None, Some("free"), Some("starter"), Some("pro"), Some("enterprise"), Some("platinum")];
/// Regions by label; 0 is null, the last one is not allowed by the quickstart.
pub const REGIONS: [Option<&str>; 6] = [None, Some("us"), Some("eu"), Some("apac"), Some("latam"), Some("mars")];
/// Currencies by label; 0 is null, the last one is not allowed by the quickstart.
pub const CURRENCIES: [Option<&str>; 5] = [None, Some("USD"), Some("EUR"), Some("GBP"), Some("XXX")];
/// Channels (schema v2 only) by label; 0 is null.
pub const CHANNELS: [Option<&str>; 4] = [None, Some("web"), Some("mobile"), Some("partner")];

/// The label of the plan tier `free`, whose events cost nothing unless they break the rule `free-is-free`.
pub const FREE: u8 = 1;
/// The label of a paid plan tier.
pub const PRO: u8 = 3;
/// The label of a plan tier that breaks the rule `plan-tier`.
pub const WRONG_PLAN_TIER: u8 = 5;
/// The label of a region that breaks the rule `region`.
pub const WRONG_REGION: u8 = 5;
/// The label of a currency that breaks the rule `currency`.
pub const WRONG_CURRENCY: u8 = 4;

/// One sales event. Times are milliseconds UTC, the amount is in cents, labels index the tables above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// The event id, printed as 32 hexadecimal digits in the layout of a UUID.
    pub event_id: u128,
    /// When it happened.
    pub event_time: i64,
    /// When the platform received it.
    pub ingest_time: i64,
    /// Cents, or null.
    pub amount: Option<i64>,
    /// Number of the account.
    pub account: u32,
    /// Number of the user, or null.
    pub user: Option<u32>,
    /// Index into [`EVENT_TYPES`].
    pub event_type: u8,
    /// Index into [`PLAN_TIERS`].
    pub plan_tier: u8,
    /// Index into [`REGIONS`].
    pub region: u8,
    /// Index into [`CURRENCIES`].
    pub currency: u8,
    /// Index into [`CHANNELS`]; only written by schema version 2.
    pub channel: u8,
    /// Written with schema version 2.
    pub second_version: bool,
}

impl Draft {
    /// The same event, happened and received that many milliseconds later.
    #[must_use]
    pub fn moved_by(self, millis: i64) -> Self {
        Self { event_time: self.event_time + millis, ingest_time: self.ingest_time + millis, ..self }
    }
}

/// The `number`-th event id of a seed: a bijection of the number, so ids of one seed never repeat.
pub fn event_id(seed: u64, number: u64) -> u128 {
    let high = mix(number ^ mix(seed));
    let low = mix(high ^ seed.rotate_left(32) ^ 0x5bf0_3635);
    (u128::from(high) << 64) | u128::from(low)
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014), a bijection on 64 bits.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
