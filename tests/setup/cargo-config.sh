#!/usr/bin/env bash
# Tells cargo where DuckDB's library is, in this clone's own `.cargo/config.toml` (not committed), so that plain
# `cargo test` works after `make setup`, and that properties take the same cases each time (PROPTEST_RNG_SEED chooses
# others). A file that names the library already is left as its owner made it.
. "$(dirname "$0")/cache.sh"
library=$("$SETUP/duckdb.sh" | tail -n 1)
config=$SETUP/../../.cargo/config.toml
line="DUCKDB_LIB_DIR = \"$library\""

if grep -qsxF "$line" "$config"; then exit 0; fi
if grep -qs . "$config" && ! grep -q '^# Written by make setup' "$config"; then
  fail "'.cargo/config.toml' is your own; add to it, under [env]: $line"
fi
mkdir -p "$(dirname "$config")"
printf '%s\n' '# Written by make setup.' '[env]' "$line" 'PROPTEST_RNG_SEED = "2026"' >"$config"
say "wrote .cargo/config.toml"
