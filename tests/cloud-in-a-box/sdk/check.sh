#!/usr/bin/env bash
# Do the vendors' own SDKs, unchanged, work through the cloud in a box? Azure's for Python here; IBM's for Go run in `cargo test`.
#
# In:    BIN_DIR with cloud-in-a-box (default target/debug). Fetches the SDKs of requirements.txt from PyPI once, into the cache.
# Out:   a line for each step; 1 on the first mismatch. Never: a setting that a user of the real cloud would not make.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
bin=${BIN_DIR:-$here/../../../target/debug}
cache=${UKO_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/uko-operator}
[[ -x $bin/cloud-in-a-box ]] || { echo "check.sh: $bin/cloud-in-a-box is missing: cargo build -p cloud-in-a-box" >&2; exit 1; }

venv=$cache/azure-sdk-$(sha256sum "$here/requirements.txt" | cut -c1-12)
if [[ ! -f $venv/complete ]]; then
  echo "check.sh: fetching the Azure SDK for Python (once, about half a minute)" >&2
  rm -rf -- "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  touch "$venv/complete"
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/uko-sdk.XXXXXX")
"$bin/cloud-in-a-box" --listen 127.0.0.1:0 --control 127.0.0.1:0 --dir "$dir" >"$dir/log" 2>&1 & box=$!
trap 'kill "$box" 2>/dev/null || true; wait "$box" 2>/dev/null || true; rm -rf -- "$dir"' EXIT
for _ in $(seq 150); do [[ ! -f $dir/ready ]] || break; sleep 0.2; done
[[ -f $dir/ready ]] || { echo 'check.sh: the box did not start' >&2; cat "$dir/log" >&2; exit 1; }
# shellcheck disable=SC1091
. "$dir/env"
"$venv/bin/python" "$here/azure_sdk.py" "$dir"
