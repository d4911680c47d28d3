"""Holds a dead-letter topic against its source topic, both read by a plain consumer.

Every record that `section3.py` refuses must be there once, named by `sluice.partition` and `sluice.offset`, with the key,
value and headers of the source record byte for byte, followed by the `sluice.*` headers; and nothing else may be there.
Prints the letters by reason and rule as JSON. Exits with 1 and the problems if anything is wrong.

    dead_letters.py --kafka ADDR --registry URL --topic T --dead-letters T --pipeline NAME [--resent]
"""

import argparse
import json
import pathlib
import sys
from collections import Counter

from recount import SCHEMA, Decoder, judged, messages, partition_numbers
from section3 import Partition

REASONS = {"undecodable": "Undecodable", "invalid": "Invalid", "late": "Late"}
SHOWN = 20


def refused(kafka, registry, topic, schema):
    """{(partition, offset): (message, reason, rule or None)} of every record that is no event to count."""
    decoder, found = Decoder(registry, schema), {}
    for number in partition_numbers(kafka, topic):
        partition = Partition()
        for message, verdict in judged(kafka, topic, number, decoder, partition):
            if verdict in REASONS:
                found[(number, message.offset())] = (message, REASONS[verdict], partition.broken_rule)
    return found


def headers(message):
    return message.headers() or []


def split(letter):
    """The headers that were the record's own, and those that say why it is here; the latter come last."""
    every = headers(letter)
    own = [header for header in every if not header[0].startswith("sluice.")]
    added = every[len(own) :]
    return own, {name: value.decode() for name, value in added if value is not None}, every[: len(own)] == own


def letter_problems(letter, source, wanted):
    """What is wrong with one letter; `wanted` are its `sluice.*` headers but the message for people."""
    own, added, in_order = split(letter)
    message = added.pop("sluice.message", "")
    checks = {
        "key": (source.key(), letter.key()),
        "value": (source.value(), letter.value()),
        "headers": (headers(source), own),
        "added headers": (wanted, added),
        "order of headers": (True, in_order),
        "a message": (True, bool(message)),
    }
    return [f"{name}: expected {expected!r}, found {found!r}" for name, (expected, found) in checks.items() if expected != found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--topic", default="sales.events.v1")
    parser.add_argument("--dead-letters", default="sales.events.dlq.v1")
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA, help="reader schema")
    parser.add_argument("--resent", action="store_true", help="a letter may be there more than once")
    args = parser.parse_args()
    expected = refused(args.kafka, args.registry, args.topic, json.loads(args.schema.read_text()))
    copies, kinds, problems = Counter(), Counter(), []
    for number in partition_numbers(args.kafka, args.dead_letters):
        for letter in messages(args.kafka, args.dead_letters, number):
            named = dict(split(letter)[1])
            place = (int(named.get("sluice.partition", -1)), int(named.get("sluice.offset", -1)))
            copies[place] += 1
            if place not in expected:
                problems.append(f"{place} is no refused record")
                continue
            source, reason, rule = expected[place]
            wanted = {
                "sluice.pipeline": args.pipeline,
                "sluice.topic": args.topic,
                "sluice.partition": str(place[0]),
                "sluice.offset": str(place[1]),
                "sluice.reason": reason,
                **({"sluice.rule": rule} if rule else {}),
            }
            problems += [f"{place} {problem}" for problem in letter_problems(letter, source, wanted)]
            kinds[f"{reason} {rule}" if rule else reason] += 1
    problems += [f"{place} ({expected[place][1]}) is missing" for place in sorted(expected.keys() - copies.keys())]
    if not args.resent:
        problems += [f"{place} is there {count} times" for place, count in sorted(copies.items()) if count > 1]
    print(json.dumps({"refused": len(expected), "letters": copies.total(), "kinds": dict(sorted(kinds.items()))}))
    for problem in problems[:SHOWN]:
        print(problem, file=sys.stderr)
    if problems or not expected:
        raise SystemExit(f"{len(problems)} problems with {copies.total()} letters")


if __name__ == "__main__":
    main()
