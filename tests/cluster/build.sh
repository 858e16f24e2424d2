#!/usr/bin/env bash
# Builds the Kubernetes control plane of the tests and the demo, once, from the versions that go.mod pins.
#
# In:    tests/cluster/go.mod; the Go module proxy the first time.
# Out:   kube-apiserver, kube-controller-manager, kubectl and etcd in one cache folder, whose path is the only line on stdout.
# Never: writes into the working tree; leaves half a build behind; builds twice at the same time.
#
#   tests/cluster/build.sh            build unless built, print the folder
#   tests/cluster/build.sh --check    print the folder, status 1 when it still has to be built
#
# The folder is ${UKO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uko-operator}/kubernetes-<version>.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
say() { printf '%s\n' "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

pinned() { # MODULE: its version in go.mod's require block
  awk -v module="$1" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$here/go.mod"
}

kubernetes=$(pinned k8s.io/kubernetes)
etcd=$(pinned go.etcd.io/etcd/server/v3)
[[ $kubernetes =~ ^v([0-9]+)\.([0-9]+)\. ]] || die "no version of k8s.io/kubernetes in $here/go.mod"
major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
[[ $etcd == v* ]] || die "no version of go.etcd.io/etcd/server/v3 in $here/go.mod"

# Without these the server calls itself v0.0.0 and kubectl refuses to talk to it.
version=k8s.io/component-base/version
ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor"
commands=(
  k8s.io/kubernetes/cmd/kube-apiserver
  k8s.io/kubernetes/cmd/kube-controller-manager
  k8s.io/kubernetes/cmd/kubectl
  go.etcd.io/etcd/server/v3
)
binaries=(kube-apiserver kube-controller-manager kubectl etcd)

cache=${UKO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither UKO_OPERATOR_CACHE nor HOME is set}/.cache}/uko-operator}
bin=$cache/kubernetes-$kubernetes
# What was asked for; a folder whose stamp says something else is built anew.
stamp="kubernetes $kubernetes, etcd $etcd, ldflags $ldflags"

built() {
  local name
  [[ -f $bin/stamp && $(<"$bin/stamp") == "$stamp" ]] || return 1
  for name in "${binaries[@]}"; do [[ -x $bin/$name ]] || return 1; done
}

case ${1:-} in
  '') ;;
  --check) printf '%s\n' "$bin"; built; exit ;;
  *) die "unknown argument $1 (only --check is known)" ;;
esac

if ! built; then
  for tool in go flock; do
    command -v "$tool" >/dev/null || die "'$tool' is missing: it is needed to build the control plane of the tests"
  done
  mkdir -p "$cache"
  # The lock is the kernel's: it ends with this process, however that ends.
  exec {lock}>"$cache/build.lock"
  flock --nonblock "$lock" || { say "another run is building Kubernetes $kubernetes; waiting for it"; flock "$lock"; }
fi

if ! built; then
  say "building kube-apiserver, kube-controller-manager and kubectl $kubernetes and etcd $etcd from source into $bin"
  say "once: 6 to 15 minutes on two cores, about 4 GB of disk for Go's modules and build cache; every later start takes seconds"
  rm -rf -- "$cache"/.building-* # what an interrupted run left; nobody else builds while we hold the lock
  work=$(mktemp -d "$cache/.building-XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  started=$SECONDS
  # In the background, so that a signal reaches the trap at once. The lock's descriptor is not handed on: a compiler that
  # outlives us must not hold the lock.
  (cd "$here" && exec go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$work/" "${commands[@]}") {lock}>&- >&2 &
  compiler=$!
  trap 'kill "$compiler" 2>/dev/null; wait "$compiler"; exit 130' INT TERM HUP
  wait "$compiler" || die "the build failed; its messages are above"
  mv -- "$work/server" "$work/etcd" # `go build` names a command after its last folder
  printf '%s' "$stamp" >"$work/stamp"
  rm -rf -- "$bin"
  mv -- "$work" "$bin"
  chmod 755 "$bin" # mktemp makes it private
  say "built in $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
fi
printf '%s\n' "$bin"
