#!/usr/bin/env bash
# The operator's main job, shown: two manifests become a working, tested connection; its key is lost and comes back, its password is
# rotated, and at the end everything that was made is removed.
#
# In:    BIN_DIR with uko-operator and cloud-in-a-box; the control plane of tests/cluster, built when it is missing.
# Out:   a story on standard output; 0 when it ended well. KEEP=1 stays up and says how to look around.
# Never: a real cloud, a fixed port, anything outside one temporary folder, a process that outlives this one.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
bin=${BIN_DIR:-$root/target/release}
namespace=keys
deadline=${DEMO_DEADLINE:-180}
dir=$(mktemp -d "${TMPDIR:-/tmp}/uko-demo.XXXXXX")

if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' off=$'\e[0m'; else bold='' dim='' green='' red='' off=''; fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$off"; }
die() { printf '%sdemo: %s%s\n' "$red" "$*" "$off" >&2; show_logs; exit 1; }
show_logs() { for log in "$dir"/operator.log "$dir"/cloud.log; do [[ ! -s $log ]] || { echo "--- last lines of $log" >&2; tail -n 15 "$log" >&2; }; done; }

pids=()
finish() {
  local status=$?
  trap - EXIT INT TERM
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf -- "$dir"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for tool in curl python3; do command -v "$tool" >/dev/null || die "'$tool' is missing"; done
for program in uko-operator cloud-in-a-box; do [[ -x $bin/$program ]] || die "$bin/$program is missing: run 'make demo', which builds it"; done

kubectl() { "$dir/cluster/kubectl" --kubeconfig "$dir/cluster/kubeconfig" -n "$namespace" "$@"; }
cloud() { curl -fsS --noproxy '*' -o /dev/null -X POST -d "$2" "$(<"$dir/cloud/control")$1"; }
is_held() { [[ -n $(kubectl get "$1" -o jsonpath='{.metadata.finalizers}') ]]; }
until_true() { # SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@"; do ((SECONDS < end)) || die "$what did not happen within $((SECONDS - end + deadline)) s"; sleep 0.2; done
}

until_says() { # CONDITION REASON: waits for it, and shows the message
  kubectl wait akc payments --for=jsonpath="{.status.conditions[?(@.type==\"$1\")].reason}=$2" --timeout="${deadline}s" >/dev/null || die "$1 does not say $2"
  kubectl get akc payments -o jsonpath="{.status.conditions[?(@.type==\"$1\")].message}{\"\n\"}"
}

title '1  A Kubernetes control plane, two clouds, and the operator'
note 'kube-apiserver, etcd and kube-controller-manager (real); Azure and IBM Cloud (in a box: an HTTPS proxy with their host names)'
"$root/tests/cluster/run.sh" "$dir/cluster" >"$dir/cluster.log" 2>&1 & pids+=($!)
"$bin/cloud-in-a-box" --listen 127.0.0.1:0 --control 127.0.0.1:0 --dir "$dir/cloud" >"$dir/cloud.log" 2>&1 & pids+=($!)
until_true "$deadline" 'the cloud in a box' test -f "$dir/cloud/ready"
until_true 1800 'the control plane' test -f "$dir/cluster/ready"
cloud /state '{"settings": {"operationPolls": 2, "retryAfterSeconds": 1}}'
mkdir "$dir/manifests"
"$here/render.py" "$dir/cloud/seed.json" "$namespace" "$dir/manifests"
"$bin/uko-operator" crds | kubectl apply --server-side -f - >/dev/null
kubectl create namespace "$namespace" >/dev/null
(
  # shellcheck disable=SC1091
  . "$dir/cloud/env"
  unset SSL_CERT_FILE
  KUBECONFIG=$dir/cluster/kubeconfig exec "$bin/uko-operator" run --policy "$dir/manifests/policy.yaml" --watch-namespace "$namespace" --namespace "$namespace" \
    --listen 127.0.0.1:0 --extra-ca-file "$dir/cloud/ca.pem" --poll-interval 1s --min-interval 2s
) >"$dir/operator.log" 2>&1 & pids+=($!)
note "$(kubectl version -o json | python3 -c 'import json,sys; print("API server " + json.load(sys.stdin)["serverVersion"]["gitVersion"])'), operator $("$bin/uko-operator" version)"

title '2  What a team writes: a ConnectorEndpoint, an AzureKeystoreConnection, and three Secrets'
grep -v '^#' "$dir/manifests/connector-endpoint.yaml" "$dir/manifests/azure-keystore-connection.yaml" -h | sed 's/^/    /'
started=$SECONDS
kubectl apply -f "$dir/manifests/secrets.yaml" -f "$dir/manifests/connector-endpoint.yaml" -f "$dir/manifests/azure-keystore-connection.yaml"

title '3  Stage by stage, until keys can flow'
"$here/watch.py" "$dir/cluster/kubectl" "$dir/cluster/kubeconfig" "$namespace" "$deadline" \
  connectorendpoint/payments=True azurekeystoreconnection/payments=True || die 'the connection did not become Ready'
printf '%sReady after %d s.%s\n\n' "$green" "$((SECONDS - started))" "$off"
kubectl get uko -o wide

title "4  Someone deletes the key EKMF-BYOK-KEK-FOR-IMPORT in Azure"
vault=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["azure"]["vaults"]["premium"]["name"])' "$dir/cloud/seed.json")
key() { printf '{"azure": {"vaults": {"%s": {"keys": {"EKMF-BYOK-KEK-FOR-IMPORT": {"deleted": %s}}}}}}' "$vault" "$1"; }
cloud /state "$(key "{\"deletedDate\": $(date +%s), \"scheduledPurgeDate\": $(($(date +%s) + 7776000))}")"
"$here/watch.py" --changes "$dir/cluster/kubectl" "$dir/cluster/kubeconfig" "$namespace" "$deadline" \
  azurekeystoreconnection/payments=False || die 'the loss of the key was not told'
kubectl get akc

title '5  The operator may recover it: keyEncryptionKey.policy: Recover'
kubectl patch akc payments --type merge -p '{"spec": {"keyEncryptionKey": {"policy": "Recover"}}}'
until_says KeyEncryptionKeyHealthy KekRecovered
kubectl get akc

title "6  The password that UKO uses is rotated: a second one in Entra, then the Secret"
read -r tenant client <<<"$(python3 -c 'import json,sys; a=json.load(open(sys.argv[1]))["azure"]; print(a["tenantId"], a["servicePrincipal"]["clientId"])' "$dir/cloud/seed.json")"
password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(30))')
cloud /state "{\"azure\": {\"tenants\": {\"$tenant\": {\"applications\": {\"$client\": {\"secrets\": {\"second\": {\"value\": \"$password\"}}}}}}}}"
kubectl patch secret payments-sp --type merge -p "{\"stringData\": {\"clientSecret\": \"$password\"}}"
until_says CredentialsValid CredentialsRotated

title 'What happened, as Kubernetes tells it'
kubectl events --for azurekeystoreconnection/payments 2>/dev/null | awk 'NR == 1 || /Kek|KeysCanFlow|Rotat/' | cut -c1-160 | tail -n 12

if [[ ${KEEP:-} == 1 ]]; then
  title 'It stays up. In another shell:'
  printf 'export KUBECONFIG=%q\n' "$dir/cluster/kubeconfig"
  printf 'export PATH=%q:"$PATH"      # kubectl\n' "$dir/cluster"
  printf 'export CLOUD=%q             # curl $CLOUD/state, $CLOUD/requests, $CLOUD/faults: tests/cloud-in-a-box/README.md\n' "$(<"$dir/cloud/control")"
  printf 'kubectl -n %s get uko -o wide; kubectl -n %s describe akc payments; tail -f %q\n' "$namespace" "$namespace" "$dir/operator.log"
  note 'Ctrl-C ends it and leaves nothing behind.'
  while kill -0 "${pids[2]}" 2>/dev/null; do sleep 1; done
  die 'the operator ended'
fi
title '7  Both are deleted, with deletionPolicy: Delete: what they made goes, in a safe order'
for object in akc/payments ukoep/payments; do kubectl patch "$object" --type merge -p '{"spec": {"deletionPolicy": "Delete"}}' >/dev/null; done
for object in akc/payments ukoep/payments; do
  until_true "$deadline" "the finalizer of $object" is_held "$object"
done
kubectl delete akc/payments ukoep/payments --timeout="${deadline}s"
kubectl get events --field-selector reason=Deleted --sort-by .metadata.creationTimestamp -o custom-columns=REMOVED:.message 2>/dev/null | cut -c1-150
curl -fsS --noproxy '*' "$(<"$dir/cloud/control")/state" | python3 -c '
import json, sys
state = json.load(sys.stdin)
left = {"private endpoints": len(state["azure"]["privateEndpoints"]), "connector endpoints": len(state["ibm"]["endpoints"]),
        "keystores": sum(len(uko["keystores"]) for uko in state["ibm"]["uko"].values())}
print("left in the clouds:", ", ".join(f"{count} {what}" for what, count in left.items()))
sys.exit(any(left.values()))' || die 'something was left behind'

printf '\n%sThe demo ended well.%s KEEP=1 make demo stays up to play with.\n' "$green" "$off"
