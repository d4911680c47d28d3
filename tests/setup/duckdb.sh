#!/usr/bin/env bash
# DuckDB's C library, taken from the npm package that carries it, since compiling it takes longer than all the rest.
# Prints the folder that holds it.
. "$(dirname "$0")/cache.sh"
version=1.5.6
release=r.1

case $(uname -s)-$(uname -m) in
  Linux-x86_64) platform=linux-x64 library=libduckdb.so ;;
  Linux-aarch64) platform=linux-arm64 library=libduckdb.so ;;
  Darwin-arm64) platform=darwin-arm64 library=libduckdb.dylib ;;
  *) fail "there is no DuckDB package for $(uname -sm); set DUCKDB_LIB_DIR to a folder that holds DuckDB $version" ;;
esac
if [ -n "${DUCKDB_LIB_DIR:-}" ] && [ -e "$DUCKDB_LIB_DIR/$library" ]; then
  printf '%s\n' "$DUCKDB_LIB_DIR"
  exit 0
fi

wanted "$CACHE/duckdb/$version"
need npm npm
say "fetching DuckDB $version from npm (25 MB)"
quietly npm pack --silent --pack-destination "$work" "@duckdb/node-bindings-$platform@$version-$release"
tar -xzf "$work"/*.tgz -C "$work"
mv "$work/package/$library" "$work/"
rm -rf "$work/package" "$work"/*.tgz
finished
