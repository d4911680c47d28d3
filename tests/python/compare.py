"""Compares what Sluice wrote with an independent recount, exactly. Exits with 1 and every difference if there is one.

    compare.py --recount FILE --store DIR [--no-quality]     gold rows and the ledger of a store
    compare.py --recount FILE --store DIR --closed           the same of a pipeline that runs: closed windows and no others
    compare.py --recount FILE --truth DIR                    the truth that `sluice generate --truth` wrote
"""

import argparse
import csv
import glob
import json
import os
import pathlib
import re
import sys
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

import pyarrow.parquet as pq

SHOWN = 40
VERDICTS = ("consumed", "counted", "duplicate", "late", "filtered", "invalid", "undecodable")
# Rules that only the reader of event times can break are reported by verdict, not by every metrics row.
RULES = ("required", "plan-tier", "region", "currency", "amount", "fresh", "free-is-free")


def rows_of_recount(recount, only_closed):
    return {
        (row["window_start"], row["region"], row["plan_tier"]): (Decimal(row["revenue"]), row["event_count"])
        for row in recount["gold"]
        if not only_closed or row["window_start"] < recount["closed_until"]
    }


def rows_of_store(folder, differences):
    """Gold rows by group, read file by file."""
    rows = {}
    for file in sorted(glob.glob(os.path.join(folder, "gold", "**", "*.parquet"), recursive=True)):
        for row in pq.ParquetFile(file).read().to_pylist():
            group = (round(row["window_start"].timestamp() * 1000), row["region"], row.get("plan_tier"))
            if group in rows:
                differences.append(f"gold row {group} is there twice, again in '{file}'")
            rows[group] = (row["revenue"], row["event_count"])
    return rows


def rows_of_truth(folder):
    rows = {}
    with open(os.path.join(folder, "truth.csv"), newline="") as file:
        for row in csv.DictReader(file):
            start = round(datetime.fromisoformat(row["window_start"].replace("Z", "+00:00")).timestamp() * 1000)
            group = (start, row["region"] or None, row["plan_tier"] or None)
            rows[group] = (Decimal(row["revenue"]), int(row["event_count"]))
    return rows


def compare_gold(expected, actual, differences):
    for group in sorted(expected.keys() | actual.keys(), key=str):
        if expected.get(group) != actual.get(group):
            wanted, found = expected.get(group, "nothing"), actual.get(group, "nothing")
            differences.append(f"gold row {group}: recount says {wanted}, found {found}")


def ledgers_of_store(folder):
    """Counts per partition and violations per rule from the quality metrics."""
    counts, violations = defaultdict(Counter), Counter()
    files = glob.glob(os.path.join(folder, "dq", "*", "metrics", "**", "*.parquet"), recursive=True)
    for file in files:
        partition = re.search(r"batch_id=(\d+)-\d+", file)[1]
        for row in pq.ParquetFile(file).read().to_pylist():
            if row["kind"] == "batch":
                counts[partition].update({verdict: row[verdict] for verdict in VERDICTS})
            elif row["violations"] is not None:
                # The rest tell of measures and the like, which have no violations.
                violations[row["rule"]] += row["violations"]
    return counts, violations


def ledgers_of_truth(folder):
    truth = json.loads(pathlib.Path(folder, "truth.json").read_text())
    counts = {str(number): ledger["counts"] for number, ledger in enumerate(truth["partitions"])}
    return counts, truth["violations"]


def compare_ledgers(recount, counts, violations, differences):
    for partition in sorted(recount["partitions"].keys() | counts.keys(), key=int):
        expected = recount["partitions"].get(partition, {"counts": {}})["counts"]
        actual = counts.get(partition, {})
        for verdict in VERDICTS:
            if expected.get(verdict, 0) != actual.get(verdict, 0):
                differences.append(
                    f"partition {partition}, {verdict}: recount says {expected.get(verdict, 0)}, found {actual.get(verdict, 0)}"
                )
    for rule in RULES:
        expected, actual = recount["total"]["violations"].get(rule, 0), violations.get(rule, 0)
        if expected != actual:
            differences.append(f"violations of '{rule}': recount says {expected}, found {actual}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recount", type=pathlib.Path, required=True)
    other = parser.add_mutually_exclusive_group(required=True)
    other.add_argument("--store")
    other.add_argument("--truth")
    parser.add_argument("--no-quality", action="store_true", help="compare the gold rows only")
    parser.add_argument("--closed", action="store_true", help="compare the rows of closed windows only, and no quality")
    args = parser.parse_args()
    recount, differences = json.loads(args.recount.read_text()), []
    expected = rows_of_recount(recount, args.closed)
    actual = rows_of_store(args.store, differences) if args.store else rows_of_truth(args.truth)
    compare_gold(expected, actual, differences)
    if not (args.no_quality or args.closed):
        counts, violations = ledgers_of_store(args.store) if args.store else ledgers_of_truth(args.truth)
        compare_ledgers(recount, counts, violations, differences)
    for difference in differences[:SHOWN]:
        print(difference)
    if len(differences) > SHOWN:
        print(f"and {len(differences) - SHOWN} more")
    revenue = sum(row[0] for row in expected.values())
    print(f"{len(expected)} gold rows, revenue {revenue}, {len(differences)} differences", file=sys.stderr)
    sys.exit(1 if differences or not expected else 0)


if __name__ == "__main__":
    main()
