#!/usr/bin/env bash
# Debian packages, only those that are missing. `packages.sh build`, `test`, `cluster` or `kind`.
. "$(dirname "$0")/cache.sh"

build=(build-essential cmake clang pkg-config libssl-dev libsasl2-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev)
test=(python3 python3-venv)
# The nodes of tests/cluster: container runtime, what kube-proxy and the network plugins call, what its scripts call.
cluster=(gcc libc6-dev python3 openssl jq curl containerd runc containernetworking-plugins busybox-static
  iproute2 iptables nftables conntrack ethtool ipset socat procps util-linux mount kmod)
kind=(docker.io debootstrap)
# A tool that came from elsewhere than Debian is as good.
command -v npm >/dev/null || [ -e "$CACHE/duckdb" ] || build+=(npm)
command -v mvn >/dev/null || test+=(maven)
command -v java >/dev/null || test+=(openjdk-17-jre-headless)
case ${1:?build, test, cluster or kind} in
  build) wanted_packages=("${build[@]}") ;;
  test) wanted_packages=("${test[@]}") ;;
  cluster) wanted_packages=("${cluster[@]}") ;;
  kind) wanted_packages=("${kind[@]}") ;;
  *) fail "'$1' is not a set of packages, which are 'build', 'test', 'cluster' and 'kind'" ;;
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
# No daemon is to start because its package was installed: the test cluster runs its own, in namespaces.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
fi
export DEBIAN_FRONTEND=noninteractive
quietly apt-get update -q
quietly apt-get install -q -y --no-install-recommends "${missing[@]}"
