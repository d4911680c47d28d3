"""Counts a whole topic again, independently of Sluice: the oracle for its gold table and its ledger.

Reads every partition from its beginning to the end offset found at start, in offset order; decodes with fastavro under
the registry's writer schemas; judges by `section3.py`; prints JSON: `gold` rows, and `partitions` and `total` with
counts per verdict and violations per rule. `closed_until` is the end of the last window that the watermarks of all
partitions have passed: a pipeline that still runs has published the windows up to there and no others.

    recount.py --kafka ADDR --registry URL --topic T [--schema FILE] [--out FILE]
               [--changed MILLIS]        windows from there on are those of the changed meaning, counted over the whole topic too
"""

import argparse
import io
import json
import pathlib
import sys
import time
from collections import Counter

import fastavro
from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from section3 import CHANGED, QUICKSTART, Partition, closed_until, merged_gold

SCHEMA = pathlib.Path(__file__).parents[2] / "schemas" / "avro" / "sales_event.avsc"
QUIET_SECONDS = 60


def plain_times(schema):
    """The schema with its timestamps as bare longs, so that times stay milliseconds whatever their year."""
    if isinstance(schema, list):
        return [plain_times(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("logicalType") == "timestamp-millis":
        return "long"
    return {key: plain_times(value) if key in ("type", "fields", "items", "values") else value for key, value in schema.items()}


class Decoder:
    """Confluent framing (prefix, or header `__value_schema_id`) and Avro, to the last byte or not at all."""

    def __init__(self, registry, reader_schema):
        self.registry = SchemaRegistryClient({"url": registry})
        self.reader = fastavro.parse_schema(plain_times(reader_schema))
        self.writers = {}

    def writer(self, schema_id):
        if schema_id not in self.writers:
            try:
                text = self.registry.get_schema(schema_id).schema_str
                self.writers[schema_id] = fastavro.parse_schema(plain_times(json.loads(text)))
            except SchemaRegistryError as error:
                if error.http_status_code != 404:
                    raise
                self.writers[schema_id] = None
        return self.writers[schema_id]

    def decode(self, message):
        """The record as a dict under the reader schema, or None."""
        value = message.value()
        if value is None:
            return None
        frame = dict(message.headers() or ()).get("__value_schema_id")
        if frame is None:
            frame, value = value[:5], value[5:]
        if len(frame) != 5 or frame[0] != 0:
            return None
        writer = self.writer(int.from_bytes(frame[1:], "big"))
        if writer is None:
            return None
        stream = io.BytesIO(value)
        try:
            record = fastavro.schemaless_reader(stream, writer, self.reader)
        except (EOFError, IndexError, ValueError, StopIteration, UnicodeDecodeError, fastavro.read.SchemaResolutionError):
            return None
        return record if stream.tell() == len(value) else None


def messages(kafka, topic, partition):
    """All messages of a partition up to the end offset found now, in offset order."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "sluice-recount",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "check.crcs": True,
        }
    )
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        position, deadline = 0, time.monotonic() + QUIET_SECONDS
        while position < end:
            # The call waits for that many messages or that long, whichever comes first.
            batch = consumer.consume(5_000, timeout=0.2)
            if batch:
                deadline = time.monotonic() + QUIET_SECONDS
            elif time.monotonic() > deadline:
                raise SystemExit(f"partition {partition}: nothing for {QUIET_SECONDS} s at offset {position} of {end}")
            for message in batch:
                if message.error() is not None:
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise SystemExit(f"partition {partition}: {message.error()}")
                    # At the end, though the last offsets may hold no records (transaction markers).
                    position = max(position, message.offset())
                    continue
                position = message.offset() + 1
                if position <= end:
                    yield message
    finally:
        consumer.close()


def partition_numbers(kafka, topic):
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "sluice-recount"})
    try:
        found = consumer.list_topics(topic, timeout=30).topics[topic]
        if found.error is not None:
            raise SystemExit(f"topic '{topic}': {found.error}")
        return sorted(found.partitions)
    finally:
        consumer.close()


def judged(kafka, topic, number, decoder, partition):
    """All messages of a partition with their verdicts, which `partition` counts."""
    running_max = None
    for message in messages(kafka, topic, number):
        kind, stamp = message.timestamp()
        running_max = stamp if running_max is None else max(running_max, stamp)
        log_time = stamp if kind == TIMESTAMP_LOG_APPEND_TIME else running_max
        yield message, partition.judge(decoder.decode(message), log_time)


def recount(kafka, registry, topic, schema, joined, meaning=QUICKSTART):
    """Judges the whole topic and gives {partition number: Partition}. `joined` says from where on added partitions take part."""
    decoder = Decoder(registry, schema)
    partitions = {}
    for number in partition_numbers(kafka, topic):
        partition = partitions[number] = Partition(joined.get(number), meaning)
        for _ in judged(kafka, topic, number, decoder, partition):
            pass
        print(f"partition {number}: {partition.consumed} records", file=sys.stderr)
    return partitions


def result(partitions):
    """The result as it is printed."""
    ledgers = {str(number): partition.ledger() for number, partition in partitions.items()}
    total = {
        part: dict(sum((Counter(ledger[part]) for ledger in ledgers.values()), Counter()))
        for part in ("counts", "invalid_by_rule", "violations")
    }
    return {
        "gold": merged_gold(partitions.values()),
        "closed_until": closed_until(partitions.values()),
        "partitions": ledgers,
        "total": total,
    }


def changed(before, after, boundary):
    """What two meanings make of the topic, as one result: each window is that of one of them."""
    rows = [row for row in before["gold"] if row["window_start"] < boundary]
    rows += [row for row in after["gold"] if row["window_start"] >= boundary]
    return {"gold": rows, "closed_until": after["closed_until"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", default="sales.events.v1")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA, help="reader schema")
    parser.add_argument("--out", type=pathlib.Path, help="write the JSON here instead of printing it")
    parser.add_argument("--joined", action="append", default=[], metavar="PARTITION:MILLIS", help="a partition that was added")
    parser.add_argument("--changed", type=int, metavar="MILLIS", help="where the changed meaning begins")
    args = parser.parse_args()
    schema = json.loads(args.schema.read_text())
    joined = dict(map(int, pair.split(":")) for pair in args.joined)
    counted = result(recount(args.kafka, args.registry, args.topic, schema, joined))
    if args.changed is not None:
        after = result(recount(args.kafka, args.registry, args.topic, schema, joined, CHANGED))
        counted = changed(counted, after, args.changed)
    text = json.dumps(counted, indent=1)
    if args.out:
        args.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
