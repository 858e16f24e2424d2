#!/usr/bin/env bash
# Measures the release operator on a real Kubernetes API, against a cloud in a box that answers at once.
#
# In:    BIN_DIR with uko-operator and cloud-in-a-box (`make bench` builds both); RUNS (5) repetitions, WINDOW (90) seconds of a steady state.
# Out:   a table of minimum, median and maximum on standard output; the same figures in DIR/figures.json beside the logs.
# Never: a judgement, a fixed port, a process that outlives this one.
#
#   BIN_DIR=target/release tests/bench/run.sh [DIR]
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
: "${BIN_DIR:?name the folder of the release binaries, or call this by \`make bench\`}"
dir=${1:-$(mktemp -d "${TMPDIR:-/tmp}/uko-operator-bench.XXXXXX")}
mkdir -p -- "$dir/cluster" "$dir/cloud"
dir=$(cd -- "$dir" && pwd)
rm -f -- "$dir"/{cluster,cloud}/ready "$dir/audit.log"
say() { printf 'bench: %s\n' "$*" >&2; }

# The writing end of this pipe is ours alone: when we are gone, however that came, all see its end and leave.
mkfifo "$dir/lifeline" 2>/dev/null || true
exec {lifeline}<>"$dir/lifeline"
exec {end}<"$dir/lifeline"
rm -f -- "$dir/lifeline"
started=()
stop() {
  trap '' TERM INT HUP
  exec {lifeline}>&-
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

AUDIT_LOG="$dir/audit.log" "$here/../cluster/run.sh" --exit-with-stdin "$dir/cluster" <&"$end" >"$dir/cluster.log" 2>&1 {lifeline}>&- &
started+=($!)
"$BIN_DIR/cloud-in-a-box" --listen 127.0.0.1:0 --control 127.0.0.1:0 --dir "$dir/cloud" --exit-with-stdin \
  <&"$end" >"$dir/cloud.log" 2>&1 {lifeline}>&- &
started+=($!)

for part in cluster cloud; do
  say "waiting for the $part"
  for ((tries = 0; ; tries++)); do
    [[ ! -e $dir/$part/ready ]] || break
    for pid in "${started[@]}"; do kill -0 "$pid" 2>/dev/null || { tail -n 15 "$dir/cluster.log" "$dir/cloud.log" >&2; exit 1; }; done
    ((tries < 900)) || { say "no $part after 90 s; see $dir/$part.log"; exit 1; }
    sleep 0.1
  done
done

kubectl=("$dir/cluster/kubectl" --kubeconfig "$dir/cluster/kubeconfig")
"$BIN_DIR/uko-operator" crds >"$dir/crds.yaml"
"${kubectl[@]}" apply --server-side -f "$dir/crds.yaml" >/dev/null
"${kubectl[@]}" wait --for=condition=Established --timeout=60s -f "$dir/crds.yaml" >/dev/null
# Established is not yet served: until the server has read its storage it answers 429.
for ((tries = 0; tries < 300; tries++)); do
  ! "${kubectl[@]}" get connectorendpoints,azurekeystoreconnections -A >/dev/null 2>&1 || break
  sleep 0.1
done

mkdir -p -- "$dir/manifests"
python3 "$here/../../deploy/demo/render.py" "$dir/cloud/seed.json" '"*"' "$dir/manifests"
for name in secrets connector-endpoint azure-keystore-connection; do
  "${kubectl[@]}" create --dry-run=client -o json -f "$dir/manifests/$name.yaml" >"$dir/manifests/$name.json"
done
"${kubectl[@]}" config view --raw -o json >"$dir/kubeconfig.json"
PYTHONDONTWRITEBYTECODE=1 python3 "$here/bench.py" "$BIN_DIR/uko-operator" "$dir" <&"$end" {lifeline}>&- &
started+=($!)
wait $! # not in the foreground, where bash would keep a signal until it ends
say "logs and figures are in $dir"
