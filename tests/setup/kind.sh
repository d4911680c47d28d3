#!/usr/bin/env bash
# What `tests/cluster/kind-up` needs beyond the cluster: dockerd from Debian, and kind's node image made here. Prints the
# image's tar.
. "$(dirname "$0")/cache.sh"
"$SETUP/packages.sh" kind
"$SETUP/../cluster/kind-image"
printf '%s\n' "$CACHE/cluster/kind/node.tar"
