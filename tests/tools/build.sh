#!/usr/bin/env bash
# Builds the Go tools of the tests, once each: every folder here with a go.mod is one, named after its command.
#
# In:    tests/tools/NAME/go.mod, whose `tool` line names the command and whose versions are pinned; the Go module proxy the first time.
#        A module each, because their dependencies clash.
# Out:   the path of each command, a line each, in the order asked for.
# Never: writes into the working tree; leaves half a build behind; builds twice at the same time.
#
#   tests/tools/build.sh [NAME...]            build unless built (all without a NAME), print the paths
#   tests/tools/build.sh --check [NAME...]    print the paths, status 1 when one still has to be built
#
# They are kept in ${UKO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uko-operator}/tools. To add one: mkdir NAME, in it
# `go mod init uko-operator.io/tests/tools/NAME` and `go get -tool PATH@VERSION`; PATH ends in NAME. A file NAME/tags, if there, holds
# the build tags that leave out what the tests do not need.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
say() { printf '%s\n' "tools: $*" >&2; }
die() { say "$*"; exit 1; }

cache=${UKO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither UKO_OPERATOR_CACHE nor HOME is set}/.cache}/uko-operator}/tools
flags=(-trimpath -buildvcs=false -ldflags '-s -w')

check=''
[[ ${1:-} != --check ]] || { check=yes; shift; }
names=("$@")
if ((${#names[@]} == 0)); then
  for module in "$here"/*/go.mod; do names+=("$(basename -- "$(dirname -- "$module")")"); done
fi

tags() { # NAME: its build tags
  [[ ! -f $here/$1/tags ]] || cat -- "$here/$1/tags"
}

place() { # NAME: where it is kept; another version, or another way to build it, is another folder
  local key
  key=$( (cat -- "$here/$1/go.mod" "$here/$1/go.sum" && tags "$1" && printf '%s\n' "${flags[@]}") | sha256sum)
  printf '%s\n' "$cache/$1-${key:0:12}/$1"
}

build() { # NAME PATH, with the lock held
  local work started=$SECONDS
  say "building $1 from source: once, half a minute to 6 minutes on two cores"
  rm -rf -- "$cache"/.building-* # what an interrupted run left; nobody else builds while we hold the lock
  work=$(mktemp -d "$cache/.building-XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  # In the background, so that a signal reaches the trap at once; without the lock's descriptor, which a compiler that outlives us must not hold.
  (cd "$here/$1" && exec go build "${flags[@]}" -tags "$(tags "$1")" -o "$work/" tool) {lock}>&- >&2 &
  local compiler=$!
  trap 'kill "$compiler" 2>/dev/null; wait "$compiler"; exit 130' INT TERM HUP
  wait "$compiler" || die "$1 was not built; the compiler's messages are above"
  [[ -x $work/$1 ]] || die "tests/tools/$1/go.mod builds no command named $1"
  chmod 755 "$work" # mktemp makes it private
  mv -- "$work" "$(dirname -- "$2")"
  trap - EXIT INT TERM HUP
  say "$1 built in $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
}

missing=()
paths=()
for name in "${names[@]}"; do
  [[ -f $here/$name/go.mod ]] || die "no tool $name: tests/tools/$name/go.mod is not there"
  path=$(place "$name")
  paths+=("$path")
  [[ -x $path ]] || missing+=("$name")
done
printf '%s\n' "${paths[@]}"
((${#missing[@]} > 0)) || exit 0
[[ -z $check ]] || exit 1

for tool in go flock; do command -v "$tool" >/dev/null || die "'$tool' is missing: it is needed to build ${missing[*]}"; done
mkdir -p "$cache"
# The lock is the kernel's: it ends with this process, however that ends.
exec {lock}>"$cache/build.lock"
flock --nonblock "$lock" || { say 'another run is building tools; waiting for it'; flock "$lock"; }
for name in "${missing[@]}"; do
  path=$(place "$name")
  [[ -x $path ]] || build "$name" "$path"
done
