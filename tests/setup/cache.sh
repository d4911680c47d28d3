# Sourced by every script beside it. Owns where downloads are kept and how a half-done one is told from a finished one:
# a folder counts as installed only once `finished` has renamed it into place, so an interrupted run starts over.
# Messages go to stderr; the last line of stdout is the path that the script is about.

set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
mkdir -p "$CACHE"

say() { printf '%s\n' "setup: $*" >&2; }
fail() { printf '%s\n' "setup: error: $*" >&2; exit 1; }

# wanted FOLDER [RESULT]: prints RESULT (the folder, if not given) and ends the script if the folder is there. Otherwise
# takes the lock for it, so that two runs at once install it once, and leaves an empty folder in $work to fill.
wanted() {
  dest=$1
  result=${2:-$1}
  if [ -e "$dest" ]; then finish; fi
  mkdir -p "$(dirname "$dest")"
  exec 9>"$dest.lock"
  flock 9
  if [ -e "$dest" ]; then finish; fi
  work="$dest.part"
  rm -rf "$work"
  mkdir -p "$work"
}

# finished [FOLDER]: moves the filled folder, $work if none is named, into place, and ends the script.
finished() {
  mv "${1:-$work}" "$dest"
  rm -rf "$work"
  finish
}

finish() { printf '%s\n' "$result"; exit 0; }

need() {
  command -v "$1" >/dev/null 2>&1 || fail "'$1' is not installed; run 'make setup' as root, or install it (Debian: apt-get install $2)"
}

# The client's own error is worth reading; its progress is not.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "'$*' failed, see above"
  fi
  rm -f "$log"
}
