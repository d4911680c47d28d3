#!/usr/bin/env bash
# Debian packages, only those that are missing. `packages.sh build` or `packages.sh test`.
. "$(dirname "$0")/cache.sh"

build=(build-essential cmake clang pkg-config libssl-dev libsasl2-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev)
test=(python3 python3-venv)
# A tool that came from elsewhere than Debian is as good.
command -v npm >/dev/null || [ -e "$CACHE/duckdb" ] || build+=(npm)
command -v mvn >/dev/null || test+=(maven)
command -v java >/dev/null || test+=(openjdk-17-jre-headless)
case ${1:?build or test} in
  build) wanted_packages=("${build[@]}") ;;
  test) wanted_packages=("${test[@]}") ;;
  *) fail "'$1' is not a set of packages, which are 'build' and 'test'" ;;
esac

if ! command -v dpkg-query >/dev/null; then
  say "this is not Debian: see that the equivalents of these packages are installed: ${wanted_packages[*]}"
  exit 0
fi
missing=()
for package in "${wanted_packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  fail "packages are missing; run: sudo apt-get install -y --no-install-recommends ${missing[*]}"
fi
say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
quietly apt-get update -q
quietly apt-get install -q -y --no-install-recommends "${missing[@]}"
