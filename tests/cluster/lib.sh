# shellcheck shell=bash disable=SC2034
# Sourced by every command of the test cluster. Owns where things lie, the addresses, and the functions they share.
# Messages go to stderr; stdout is for what the caller evaluates.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SLUICE_CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
CACHE=$SLUICE_CACHE/cluster                                           # what `build` and `kind-image` make
RUN=${SLUICE_CLUSTER:-${TMPDIR:-/tmp}/sluice-cluster}                 # the state of a running cluster (`up`)
KIND_RUN=${SLUICE_KIND:-${TMPDIR:-/tmp}/sluice-kind}                  # the state of dockerd and kind (`kind-up`)
BIN=$CACHE/bin
NODES=${NODES:-1}
export PATH=$BIN:$PATH:/usr/sbin:/sbin

NET=172.31.77              # .1 is this machine, .11 is node1, .12 is node2 ...
KIND_NET=172.31.78         # .1 is this machine, .2 the namespace in which dockerd runs
PODS=10.244.0.0/16
SERVICES=10.96.0.0/16
DNS=10.96.0.10
API=$NET.11
BRIDGE=sluice0
node_ip() { echo "$NET.$((10 + $1))"; }
node_pods() { echo "10.244.$1.0/24"; }
CTR=(ctr -a /run/containerd/containerd.sock -n k8s.io)

START=${EPOCHREALTIME/[.,]/}
say() { # with the seconds since the start
  local ms=$(((${EPOCHREALTIME/[.,]/} - START) / 1000))
  printf 'cluster: %4d.%ds %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}
die() { echo "cluster: error: $*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "this needs root (namespaces, mounts, interfaces)"; }
need_build() { [ -x "$BIN/$1" ] || die "'$BIN/$1' is not there: run tests/setup/cluster.sh first"; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "waited too long for $what"
    sleep 0.1
  done
}

# render FILE NAME...: FILE with every @NAME@ replaced by the value of the shell variable NAME
render() {
  local text name
  text=$(< "$1")
  shift
  for name; do text=${text//"@$name@"/"${!name}"}; done
  printf '%s\n' "$text"
}

# spawn DIR NAME SCRIPT ARGS...: SCRIPT as PID 1 of namespaces of its own; the pids go to DIR/NAME.unshare and DIR/NAME.pid.
# The environment is a clean one: a proxy or KUBECONFIG of the caller must not reach the components.
spawn() {
  local dir=$1 name=$2
  shift 2
  setsid env -i PATH="$PATH" HOME="$HOME" SLUICE_CACHE="$SLUICE_CACHE" SLUICE_CLUSTER="$RUN" SLUICE_KIND="$KIND_RUN" \
    NODES="$NODES" PROXY_MODE="${PROXY_MODE:-iptables}" SNAPSHOTTER="${SNAPSHOTTER:-overlayfs}" \
    unshare --net --mount --pid --uts --fork --kill-child --mount-proc --propagation private "$@" \
    > "$dir/log/$name.log" 2>&1 < /dev/null &
  echo $! > "$dir/$name.unshare"
  wait_for 10 "the namespaces of $name" pgrep -P $!
  pgrep -P $! > "$dir/$name.pid"
}

# reap DIR: kills the PID 1 of everything that `spawn` started there; the kernel ends the rest of each PID namespace with it
reap() {
  local file pid
  for file in "$1"/*.pid "$1"/*.unshare; do
    [ -s "$file" ] || continue
    pid=$(< "$file")
    # the number may have gone to another process since: only what still runs a script for this folder is ours
    tr '\0' '\n' 2> /dev/null < "/proc/$pid/environ" | grep -qxF -e "SLUICE_CLUSTER=$1" -e "SLUICE_KIND=$1" || continue
    kill -9 "$pid" 2> /dev/null || true
    wait_for 30 "the end of process $pid" test ! -e "/proc/$pid"
  done
}

# remove_cgroups NAME: the (empty) cgroup of this name in each hierarchy
remove_cgroups() {
  local dir
  for dir in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
    [ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} \; 2> /dev/null || true
  done
}

# keep_sysctls FILE / restore_sysctls FILE: the settings of the whole machine that a node sets for itself
SYSCTLS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.pid_max
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes
  fs.protected_fifos fs.protected_hardlinks fs.protected_regular fs.protected_symlinks
  fs.inotify.max_user_instances fs.inotify.max_user_watches)
keep_sysctls() { sysctl -e "${SYSCTLS[@]}" > "$1"; }
restore_sysctls() {
  local key eq value
  while read -r key eq value; do
    [ "$(sysctl -n "$key")" = "$value" ] || sysctl -qw "$key=$value"
  done < "$1"
}
