#!/usr/bin/env bash
# A Python environment with the packages of `requirements.txt`, kept per content of that file. Prints its `python`.
. "$(dirname "$0")/cache.sh"
pins=$(sha256sum "$SETUP/requirements.txt" | cut -c1-12)

venv="$CACHE/python/$pins"

# A virtual environment cannot be moved once made, so here a mark inside it says that it is complete.
wanted "$venv/complete" "$venv/bin/python"
need python3 "python3 python3-venv"
say "fetching the Python packages of tests/setup/requirements.txt from PyPI (about 150 MB)"
quietly python3 -m venv "$venv"
quietly "$venv/bin/pip" install -r "$SETUP/requirements.txt"
quietly "$venv/bin/python" -c 'import confluent_kafka.schema_registry.avro, fastavro, pyarrow.parquet, duckdb, pandas'
finished
