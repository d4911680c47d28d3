#!/usr/bin/env bash
# Kubernetes 1.34 and the tools of its users (kubectl, helm with helm-unittest, kubeconform), built from Go modules for
# `tests/cluster`. Prints the folder of the binaries.
. "$(dirname "$0")/cache.sh"
"$SETUP/packages.sh" cluster
"$SETUP/../cluster/build"
printf '%s\n' "$CACHE/cluster/bin"
