#!/usr/bin/env bash
# cargo-fuzz from crates.io. Prints the folder of its program.
. "$(dirname "$0")/cache.sh"
version=0.13.1

wanted "$CACHE/cargo-fuzz/$version" "$CACHE/cargo-fuzz/$version/bin"
say "building cargo-fuzz $version"
quietly cargo install --locked --root "$work" --version "$version" cargo-fuzz
finished
