"""Reads a store's gold table as any user would, by a plain recursive glob, with pyarrow and with DuckDB's own package.

Checks the column types (decimal revenue, UTC timestamps, integer counts) and that both readers get the same rows and
sums; prints them as JSON. Exits with 1 and the problems if anything is wrong.

    read_gold.py DIR        (files are DIR/gold/**/*.parquet)
"""

import glob
import json
import os
import re
import sys
from collections import Counter
from datetime import datetime, timezone

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

COLUMNS = ("window_start", "window_end", "region", "plan_tier", "revenue", "event_count")


def pattern(folder):
    return os.path.join(folder, "gold", "**", "*.parquet")


def is_text(kind):
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or (
        pa.types.is_dictionary(kind) and is_text(kind.value_type)
    )


def arrow_problems(schema):
    """What is wrong with the columns as pyarrow sees them."""
    wanted = {
        "window_start": lambda kind: pa.types.is_timestamp(kind) and kind.tz in ("UTC", "+00:00"),
        "window_end": lambda kind: pa.types.is_timestamp(kind) and kind.tz in ("UTC", "+00:00"),
        "region": is_text,
        "plan_tier": is_text,
        "revenue": lambda kind: pa.types.is_decimal(kind) and kind.scale == 2,
        "event_count": lambda kind: kind == pa.int64(),
    }
    found = {field.name: field.type for field in schema}
    problems = [f"pyarrow: column '{name}' is missing" for name in wanted if name not in found]
    return problems + [
        f"pyarrow: column '{name}' is {found[name]}" for name, fits in wanted.items() if name in found and not fits(found[name])
    ]


def duckdb_problems(types):
    """What is wrong with the columns as DuckDB sees them."""
    wanted = {
        "window_start": r"TIMESTAMP WITH TIME ZONE",
        "window_end": r"TIMESTAMP WITH TIME ZONE",
        "region": r"VARCHAR",
        "plan_tier": r"VARCHAR",
        "revenue": r"DECIMAL\(\d+,2\)",
        "event_count": r"BIGINT",
    }
    return [
        f"duckdb: column '{name}' is {types.get(name, 'missing')}"
        for name, kind in wanted.items()
        if not re.fullmatch(kind, types.get(name, ""))
    ]


def millis(time):
    return round(time.timestamp() * 1000)


def arrow_rows(folder):
    """Schema and rows as (window start, window end, region, plan tier, revenue, count), sorted."""
    files = sorted(glob.glob(pattern(folder), recursive=True))
    if not files:
        raise SystemExit(f"no file matches {pattern(folder)}")
    dataset = ds.dataset(files, format="parquet")
    table = dataset.to_table()
    columns = [table.column(name).to_pylist() for name in COLUMNS if name in table.column_names]
    sums = {
        "files": len(files),
        "rows": table.num_rows,
        "revenue": str(pc.sum(table.column("revenue").cast(pa.decimal128(38, 2))).as_py()),
        "event_count": pc.sum(table.column("event_count")).as_py(),
    }
    return dataset.schema, ordered(zip(*columns)), sums


def duckdb_rows(folder):
    """Column types by name, rows and sums as above."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"read_parquet('{pattern(folder)}')"
    types = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    rows = connection.execute(
        f"SELECT epoch_ms(window_start), epoch_ms(window_end), region, plan_tier, revenue, event_count FROM {source}"
    ).fetchall()
    files, count, revenue, events = connection.execute(
        f"SELECT (SELECT count(*) FROM glob('{pattern(folder)}')), count(*), sum(revenue), sum(event_count) FROM {source}"
    ).fetchone()
    return types, ordered(rows), {"files": files, "rows": count, "revenue": str(revenue), "event_count": int(events)}


def ordered(rows):
    as_millis = (
        tuple(millis(value) if isinstance(value, datetime) else value for value in row) for row in rows
    )
    return sorted(as_millis, key=lambda row: (row[0], row[2] or "", row[3] or ""))


def layout_problems(rows, folder):
    """Rows that are there twice, windows of a wrong length, and files in a wrong date's folder."""
    copies = Counter((row[0], row[2], row[3]) for row in rows)
    problems = [f"row {group} is there {count} times" for group, count in copies.items() if count > 1]
    problems += [f"window {row[0]} ends at {row[1]}" for row in rows if row[1] - row[0] != 300_000]
    for file in glob.glob(pattern(folder), recursive=True):
        date = re.search(r"date=(\d{4}-\d\d-\d\d)", file)
        start = re.search(r"w=(\d{8})T", os.path.basename(file))
        if date and start and date[1].replace("-", "") != start[1]:
            problems.append(f"file '{file}' is in the folder of another date")
    return problems


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = sys.argv[1]
    schema, by_arrow, arrow_sums = arrow_rows(folder)
    types, by_duckdb, duckdb_sums = duckdb_rows(folder)
    problems = arrow_problems(schema) + duckdb_problems(types) + layout_problems(by_duckdb, folder)
    if arrow_sums != duckdb_sums:
        problems.append("pyarrow and DuckDB have different sums")
    if by_arrow != by_duckdb:
        problems.append("pyarrow and DuckDB read different rows")
    first, last = (datetime.fromtimestamp(row[0] / 1000, timezone.utc).isoformat() for row in (by_duckdb[0], by_duckdb[-1]))
    print(
        json.dumps(
            {
                "pyarrow": arrow_sums,
                "duckdb": duckdb_sums,
                "types": {"pyarrow": {field.name: str(field.type) for field in schema}, "duckdb": types},
                "first_window": first,
                "last_window": last,
                "problems": problems,
            },
            indent=1,
        )
    )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
