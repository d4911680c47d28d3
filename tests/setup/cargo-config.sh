#!/usr/bin/env bash
# Tells cargo where DuckDB's library is, in this clone's own `.cargo/config.toml` (not committed), so that plain
# `cargo test` works after `make setup`. A file that says so already is left as its owner made it.
. "$(dirname "$0")/cache.sh"
library=$("$SETUP/duckdb.sh" | tail -n 1)
config=$SETUP/../../.cargo/config.toml
line="DUCKDB_LIB_DIR = \"$library\""

if grep -qsxF "$line" "$config"; then exit 0; fi
if grep -qs . "$config" && ! grep -q '^# Written by make setup' "$config"; then
  fail "'.cargo/config.toml' is your own; add to it, under [env]: $line"
fi
mkdir -p "$(dirname "$config")"
printf '%s\n' '# Written by make setup.' '[env]' "$line" >"$config"
say "wrote .cargo/config.toml"
