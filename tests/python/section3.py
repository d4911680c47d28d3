"""Design section 3 in plain Python for the quickstart pipeline (`examples/revenue-5m.yaml`).

Written from the text of the contract. It shares nothing with Sluice: the rules of the manifest are written out by hand,
so that a mistake in the product and a mistake here are unlikely to be the same one.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal

MINUTE = 60_000
MAX_FUTURE_SKEW = 5 * MINUTE
MAX_LATENCY = 5 * MINUTE
VERDICTS = ("counted", "duplicate", "late", "filtered", "invalid", "undecodable")

PLAN_TIERS = ("free", "starter", "pro", "enterprise")
REGIONS = ("us", "eu", "apac", "latam")
CURRENCIES = ("USD", "EUR", "GBP")


@dataclass(frozen=True)
class Meaning:
    """What an edit with a higher revision may change."""

    window: int
    delay: int
    regions: tuple
    by_plan_tier: bool


QUICKSTART = Meaning(5 * MINUTE, 10 * MINUTE, REGIONS, True)
# Other windows, a longer delay, one group less, and a rule that refuses more.
CHANGED = Meaning(10 * MINUTE, 12 * MINUTE, ("us", "eu", "apac"), False)


def passes_or_null(value, allowed):
    """`oneOf`: null is skipped, so it passes."""
    return value is None or value in allowed


# Name, True if a violation makes the record a dead letter, and the rule: False is a violation; null counts as passed.
RULES = (
    ("required", True, lambda r, _: all(r[f] is not None for f in ("event_id", "event_time", "account_id", "amount"))),
    ("plan-tier", True, lambda r, _: passes_or_null(r["plan_tier"], PLAN_TIERS)),
    ("region", True, lambda r, meaning: passes_or_null(r["region"], meaning.regions)),
    ("currency", True, lambda r, _: passes_or_null(r["currency"], CURRENCIES)),
    ("amount", True, lambda r, _: r["amount"] is None or r["amount"] >= 0),
    ("fresh", False, lambda r, _: r["ingest_time"] - r["event_time"] <= MAX_LATENCY),
    ("free-is-free", False, lambda r, _: r["plan_tier"] != "free" or r["amount"] is None or r["amount"] == 0),
)


class Partition:
    """The records of one partition, judged one after the other in offset order.

    A partition that was added later joins at a boundary: its watermark begins there.
    """

    def __init__(self, joined=None, meaning=QUICKSTART):
        self.joined = joined
        self.meaning = meaning
        self.consumed = 0
        # The rule that made the last record invalid, if it is.
        self.broken_rule = None
        self.verdicts = Counter()
        self.invalid_by_rule = Counter()
        self.violations = Counter({name: 0 for name, _, _ in RULES})
        self.max_event_time = None
        self.ids_by_window_end = defaultdict(set)
        # (window start, region, plan tier) -> [revenue, event count]
        self.gold = defaultdict(lambda: [Decimal(0), 0])

    def watermark(self):
        """Nothing that ends by then is awaited any more, or None before the first judged-valid record."""
        if self.max_event_time is None:
            return self.joined
        folded = self.max_event_time - self.meaning.delay
        return folded if self.joined is None else max(folded, self.joined)

    def judge(self, record, log_time):
        """`record` is the decoded record, times in milliseconds, or None if it cannot be decoded."""
        self.consumed += 1
        self.broken_rule = None
        verdict = self.verdict(record, log_time)
        self.verdicts[verdict] += 1
        return verdict

    def verdict(self, record, log_time):
        if record is None:
            return "undecodable"
        broken = [(name, dead) for name, dead, rule in RULES if not rule(record, self.meaning)]
        self.violations.update(name for name, _ in broken)
        dead = [name for name, dead in broken if dead]
        if not dead and record["event_time"] > log_time + MAX_FUTURE_SKEW:
            dead = ["event-time-future"]
        if dead:
            self.broken_rule = dead[0]
            self.invalid_by_rule[dead[0]] += 1
            return "invalid"
        # No filter in this pipeline. From here on the record is judged-valid and moves the watermark.
        watermark = self.watermark()
        event_time = record["event_time"]
        self.max_event_time = event_time if self.max_event_time is None else max(self.max_event_time, event_time)
        start = event_time - event_time % self.meaning.window
        end = start + self.meaning.window
        if watermark is not None and end <= watermark:
            return "late"
        if watermark is not None:
            for closed in [other for other in self.ids_by_window_end if other <= watermark]:
                del self.ids_by_window_end[closed]
        seen = any(record["event_id"] in ids for ids in self.ids_by_window_end.values())
        self.ids_by_window_end[end].add(record["event_id"])
        if seen:
            return "duplicate"
        row = self.gold[(start, record["region"], record["plan_tier"] if self.meaning.by_plan_tier else None)]
        row[0] += record["amount"]
        row[1] += 1
        return "counted"

    def ledger(self):
        """Counts that add up: consumed is the sum of the verdicts."""
        counts = {"consumed": self.consumed, **{verdict: self.verdicts[verdict] for verdict in VERDICTS}}
        assert counts["consumed"] == sum(counts[verdict] for verdict in VERDICTS), counts
        return {
            "counts": counts,
            "invalid_by_rule": dict(sorted(self.invalid_by_rule.items())),
            "violations": dict(self.violations),
        }


def closed_until(partitions):
    """The end of the last window that has closed on every partition, or None."""
    watermarks = [partition.watermark() for partition in partitions]
    window = max(partition.meaning.window for partition in partitions)
    return None if None in watermarks else min(watermarks) - min(watermarks) % window


def merged_gold(partitions):
    """The gold rows over all partitions after a drain (every window closed), sorted, null first."""
    total = defaultdict(lambda: [Decimal(0), 0])
    for partition in partitions:
        for group, (revenue, count) in partition.gold.items():
            total[group][0] += revenue
            total[group][1] += count
    return [
        {
            "window_start": start,
            "region": region,
            "plan_tier": plan_tier,
            "revenue": f"{revenue:.2f}",
            "event_count": count,
        }
        for (start, region, plan_tier), (revenue, count) in sorted(
            total.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2] or "")
        )
    ]
