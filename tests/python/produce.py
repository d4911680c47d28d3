"""An independent producer: the Confluent Python client with its own AvroSerializer, which registers the schema itself.

Its events are seeded and made here, with nothing taken from Sluice's own generator: duplicates (verbatim and stamped
anew), late ones, future stamps, rule violations, nulls, and poison: plain bytes, and events cut short or with bytes left
over. Some records have no key, some carry headers of their own. What must come out of them is for `recount.py` to say.
Prints what it sent as JSON, by kind.

    produce.py --kafka ADDR --registry URL --topic T --count N [--seed S] [--partitions P] [--header-share X]
               [--first N] [--end N]     only these of the COUNT events, to send one stream in parts
             [--spoil X]               give this share of the events a region that no rule knows
"""

import argparse
import json
import pathlib
import random
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

SCHEMA = pathlib.Path(__file__).parents[2] / "schemas" / "avro" / "sales_event.avsc"
START = datetime(2026, 11, 23, 6, tzinfo=timezone.utc)
SPAN = timedelta(hours=6)
JITTER = timedelta(minutes=9, seconds=30)
KINDS = {"duplicate": 0.012, "late": 0.006, "invalid": 0.004, "future": 0.0005, "poison": 0.0005}
POISON = (
    b"",
    b"\x00",
    b"not avro at all",
    b'{"event_id": "json"}',
    b"\x00\x7f\xff\xff\xffunknown schema",
    None,
)


TRACE = [("trace", b"\xff\x00\x01"), ("trace", b"again"), ("no-value", None), ("empty", b"")]


@dataclass
class Damaged:
    """An event whose bytes lose some at their end (`by` > 0) or have zeros behind them (`by` < 0)."""

    event: dict
    by: int

    def of(self, value):
        return value[: -self.by] if self.by > 0 else value + bytes(-self.by)


class Events:
    """A seeded stream of (key, value): the value is an event as a dict, or for poison `Damaged`, bytes or None."""

    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.count = count
        self.recent = deque(maxlen=max(50, count // 40))
        self.sent = Counter()

    def __iter__(self):
        kinds, weights = [*KINDS, "ordinary"], [*KINDS.values(), 1 - sum(KINDS.values())]
        for number in range(self.count):
            now = START + SPAN * number / max(1, self.count)
            kind = self.random.choices(kinds, weights)[0]
            if kind == "duplicate" and not self.recent:
                kind = "ordinary"
            self.sent[kind] += 1
            yield getattr(self, kind)(now)

    def event(self, now):
        r = self.random
        happened = now - JITTER * (r.random() ** 3)
        happened = happened.replace(microsecond=happened.microsecond // 1000 * 1000)
        plan_tier = r.choice(["free", "starter", "starter", "pro", "enterprise", None])
        amount = Decimal(0) if plan_tier == "free" and r.random() < 0.99 else Decimal(r.randrange(0, 9_999_999)) / 100
        return {
            "event_id": str(uuid.UUID(int=r.getrandbits(128), version=4)),
            "event_type": r.choice(["purchase", "refund", "renewal"]),
            "event_time": happened,
            "ingest_time": happened + timedelta(milliseconds=int(r.expovariate(1 / 20_000))),
            "schema_version": 1,
            "account_id": f"account-{int(r.paretovariate(0.4)) % 5_000}",
            "user_id": r.choice([None, f"u{r.randrange(10_000)}"]),
            "plan_tier": plan_tier,
            "region": r.choice(["us", "us", "eu", "apac", "latam", None]),
            "currency": r.choice(["USD", "EUR", "GBP", None]),
            "amount": amount,
        }

    def ordinary(self, now):
        event = self.event(now)
        self.recent.append(event)
        return event["account_id"], event

    def duplicate(self, now):
        event = self.random.choice(self.recent)
        if self.random.random() < 0.3:
            times = {name: value for name, value in self.event(now).items() if name in ("event_time", "ingest_time")}
            event = {**event, **times}
            self.recent.append(event)
        return event["account_id"], event

    def late(self, now):
        event = self.event(now)
        # From the edge of what is still open to long gone.
        back = timedelta(minutes=self.random.choice([10, 12, 15, 16, 20, 60, 600]))
        return event["account_id"], {**event, "event_time": event["event_time"] - back}

    def invalid(self, now):
        event = self.event(now)
        broken = self.random.choice(
            [
                {"amount": None},
                {"plan_tier": "platinum"},
                {"region": "US"},
                {"currency": ""},
                {"amount": Decimal("-0.01")},
                {"plan_tier": "Pro", "region": "moon", "amount": Decimal("-5")},
            ]
        )
        # A refused event must not move the watermark, however far ahead it is.
        ahead = timedelta(hours=self.random.choice([0, 5]))
        return event["account_id"], {**event, "event_time": event["event_time"] + ahead, **broken}

    def future(self, now):
        event = self.event(now)
        return event["account_id"], {**event, "event_time": event["event_time"] + timedelta(days=3_650)}

    def poison(self, now):
        damaged = [Damaged(self.event(now), by) for by in (1, 20, -1)]
        key = self.random.choice([None, f"account-{self.random.randrange(5_000)}"])
        return key, self.random.choice([*POISON, *damaged])


def make_topic(kafka, topic, partitions):
    """Makes the topic with log append time unless it is there."""
    new = NewTopic(topic, partitions, 1, config={"message.timestamp.type": "LogAppendTime"})
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.create_topics([new]).values():
        try:
            future.result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


class Sender:
    """Serializes and produces; every failed delivery is kept."""

    def __init__(self, args):
        registry = SchemaRegistryClient({"url": args.registry})
        self.serializer = AvroSerializer(registry, args.schema.read_text())
        self.producer = Producer(
            {
                "bootstrap.servers": args.kafka,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self.topic = args.topic
        self.context = SerializationContext(args.topic, MessageField.VALUE)
        self.failures = []

    def delivered(self, error, _message):
        if error is not None:
            self.failures.append(str(error))

    def send(self, key, value, in_header, traced):
        headers = []
        if isinstance(value, dict):
            value = Damaged(value, 0)
        if isinstance(value, Damaged):
            value = value.of(self.serializer(value.event, self.context))
            if in_header:
                headers, value = [("__value_schema_id", value[:5])], value[5:]
        if traced:
            headers = [*TRACE, *headers]
        while True:
            try:
                self.producer.produce(self.topic, value, key, headers=headers, on_delivery=self.delivered)
                return
            except BufferError:
                self.producer.poll(0.1)

    def finish(self):
        left = self.producer.flush(120)
        if left or self.failures:
            raise SystemExit(f"{left} records not acknowledged; failures: {self.failures[:5]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", default="sales.events.v1")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=3, help="if the topic must be made")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA)
    parser.add_argument("--header-share", type=float, default=0.0, help="share framed by the header __value_schema_id")
    parser.add_argument("--trace-share", type=float, default=0.1, help="share with headers of the application's own")
    parser.add_argument("--first", type=int, default=0, help="number of the first event to send")
    parser.add_argument("--spoil", type=float, default=0.0, help="share of the events that get an unknown region")
    parser.add_argument("--end", type=int, help="number of the first event after it not to send")
    args = parser.parse_args()
    if START + SPAN > datetime.now(timezone.utc):
        raise SystemExit(f"it is {datetime.now(timezone.utc)}, before the last event time {START + SPAN}")
    make_topic(args.kafka, args.topic, args.partitions)
    sender, events, framing = Sender(args), Events(args.seed, args.count), random.Random(args.seed)
    spoiling = random.Random(args.seed)
    end, sent = args.count if args.end is None else args.end, 0
    for number, (key, value) in enumerate(events):
        in_header, traced = framing.random() < args.header_share, framing.random() < args.trace_share
        if spoiling.random() < args.spoil and isinstance(value, dict):
            value = {**value, "region": "atlantis"}
        if args.first <= number < end:
            sender.send(key, value, in_header, traced)
            sent += 1
        if number % 1_000 == 0:
            sender.producer.poll(0)
    sender.finish()
    print(json.dumps({"topic": args.topic, "count": sent, "kinds": dict(events.sent)}))


if __name__ == "__main__":
    main()
