#!/usr/bin/env bash
# Runs a real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager; no kubelet) on 127.0.0.1.
#
# In:    DIR for everything it writes; the binaries of build.sh, which it builds when they are missing.
# Out:   DIR/kubeconfig (user admin, group system:masters), DIR/kubectl, DIR/env (export lines), DIR/ca.crt,
#        DIR/<component>.{log,pid} and, once the cluster answers and hands out service accounts, DIR/ready.
# Never: a fixed port, a file outside DIR and the cache, a process that outlives this one, however this one ends.
#
#   tests/cluster/run.sh [--exit-with-stdin] DIR
#
# Stays in the foreground until SIGTERM or SIGINT, or with --exit-with-stdin until its standard input closes. Then the
# processes and etcd's data are gone; the logs stay. AUDIT_LOG=FILE writes the API server's audit log there (bodies only
# of our own kinds, never of a Secret).
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
say() { printf '%s\n' "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

exit_with_stdin='' dir=''
for argument; do
  case $argument in
    --exit-with-stdin) exit_with_stdin=yes ;;
    -*) die "unknown option $argument; use: run.sh [--exit-with-stdin] DIR" ;;
    *) [[ -z $dir ]] || die "one DIR, not two: $dir and $argument"; dir=$argument ;;
  esac
done
[[ -n $dir ]] || die "use: run.sh [--exit-with-stdin] DIR"
for tool in curl openssl flock mkfifo; do
  command -v "$tool" >/dev/null || die "'$tool' is missing: it is needed to start the cluster"
done
[[ -z ${AUDIT_LOG:-} || $AUDIT_LOG == /* ]] || AUDIT_LOG=$PWD/$AUDIT_LOG

exec {stdin}<&0
if [[ -n $exit_with_stdin ]]; then bin=$("$here/build.sh" </dev/null); else bin=$("$here/build.sh"); fi
started=$SECONDS
# Sockets are named relative to DIR: a path to a socket may have 107 bytes only, a DIR more.
mkdir -p -- "$dir"
cd -- "$dir"
dir=$PWD

exec {lock}>lock
flock --nonblock "$lock" || die "a cluster already runs in $dir"
rm -rf -- ready env kubeconfig ca.crt ./*.pid ./*.sock etcd tls secrets lifeline

# --- nothing outlives us -------------------------------------------------------------------------------------------
# We hold the only writing end of a pipe. The watchdog reads it and kills what we started when we are gone, also by
# SIGKILL. No child may inherit that end, nor the lock: they are closed in every child that stays.
mkfifo lifeline
exec {lifeline}<>lifeline {lifeline_end}<lifeline
rm lifeline
watchdog() {
  local _ round pid
  read -r _ || true
  for round in 1 2; do # twice: one may have been forked when we were killed
    for pid in ./*.pid; do kill -KILL "$(<"$pid")" || true; done
    sleep 0.3
  done
  rm -rf -- etcd secrets tls ready ./*.pid ./*.sock
}
watchdog <&"$lifeline_end" >/dev/null 2>&1 {lifeline}>&- {lock}>&- {stdin}<&- &
watchdog=$!
exec {lifeline_end}<&-

declare -A child=()
stop() {
  trap '' TERM INT HUP # a second reason to end must not cut the end short: bash would wait for ever
  local name
  for name in "${!child[@]}"; do kill -KILL "${child[$name]}" 2>/dev/null || true; done
  for name in "${!child[@]}"; do wait "${child[$name]}" 2>/dev/null || true; done
  rm -rf -- etcd secrets tls ready ./*.pid ./*.sock
  kill -KILL "$watchdog" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' TERM INT HUP

component() { # NAME COMMAND...: starts it with its own log and pid file
  local name=$1
  shift
  (echo "$BASHPID" >"$name.pid" && exec "$@") </dev/null >"$name.log" 2>&1 {lifeline}>&- {lock}>&- {stdin}<&- &
  child[$name]=$!
}
alive() { kill -0 "${child[$1]}" 2>/dev/null; }
fallen() { # NAME: the end of the story, with its last words
  tail -n 15 "$1.log" >&2 || true
  die "$1 ended by itself; its last lines are above, all of them in $dir/$1.log"
}

if [[ -n $exit_with_stdin ]]; then
  cat <&"$stdin" >/dev/null 2>&1 {lifeline}>&- {lock}>&- &
  child[stdin]=$!
fi

# --- credentials ---------------------------------------------------------------------------------------------------
mkdir -m 700 secrets
token=$(openssl rand -hex 24)
printf '%s,admin,admin,"system:masters"\n' "$token" >secrets/tokens.csv
printf 'Authorization: Bearer %s\n' "$token" >secrets/header
openssl ecparam -name prime256v1 -genkey -noout -out secrets/service-accounts.key
cat >secrets/authentication.yaml <<'YAML'
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]
YAML
cat >secrets/audit.yaml <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, resources: [{group: "", resources: [secrets, configmaps, serviceaccounts/token]}]}
- {level: RequestResponse, resources: [{group: uko-operator.io}]}
- {level: Metadata}
YAML
audit=()
[[ -z ${AUDIT_LOG:-} ]] || audit=(--audit-policy-file secrets/audit.yaml --audit-log-path "$AUDIT_LOG")

# --- etcd and the API server ---------------------------------------------------------------------------------------
component etcd "$bin/etcd" --data-dir etcd --unsafe-no-fsync --log-level warn \
  --listen-client-urls unix://etcd.sock --advertise-client-urls unix://etcd.sock \
  --listen-peer-urls unix://peer.sock --initial-advertise-peer-urls unix://peer.sock \
  --initial-cluster default=unix://peer.sock

free_port() { # one below the range from which the kernel hands out ports, and not in use now
  local port
  for _ in {1..100}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port between 20000 and 32000 on 127.0.0.1"
}
api_server() {
  port=$(free_port)
  component kube-apiserver "$bin/kube-apiserver" \
    --etcd-servers unix://etcd.sock --etcd-prefix /registry \
    --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" --cert-dir tls \
    --endpoint-reconciler-type none --service-cluster-ip-range 10.96.0.0/24 \
    --authorization-mode RBAC --token-auth-file secrets/tokens.csv --authentication-config secrets/authentication.yaml \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file secrets/service-accounts.key \
    --service-account-signing-key-file secrets/service-accounts.key \
    --disable-admission-plugins ServiceAccount --profiling=false "${audit[@]}"
}
get() { # PATH, as admin; the token is read from a file so that no process list shows it
  curl --silent --fail --noproxy '*' --max-time 5 --cacert tls/apiserver.crt --header @secrets/header \
    --output /dev/null "https://127.0.0.1:$port$1" 2>/dev/null
}
until_answers() { # PATH WHAT: waits at most a minute, and only while the processes live
  local deadline=$((SECONDS + 60))
  until get "$1"; do
    alive etcd || fallen etcd
    [[ -z ${child[kube-controller-manager]:-} ]] || alive kube-controller-manager || fallen kube-controller-manager
    if ! alive kube-apiserver; then
      # Another process may have taken the port between our look and the server's bind.
      grep -q 'address already in use' kube-apiserver.log || fallen kube-apiserver
      api_server
    fi
    [[ -z $exit_with_stdin ]] || alive stdin || exit 0
    ((SECONDS < deadline)) || die "$2 not there after a minute; the logs are in $dir"
    sleep 0.1
  done
}
api_server
until_answers /readyz 'a ready API server is'

# --- what users need -----------------------------------------------------------------------------------------------
# The server signs itself with a CA made on the spot; that CA is the second certificate of the two in this file.
awk '/BEGIN CERTIFICATE/ { count++ } count == 2' tls/apiserver.crt >ca.crt
(umask 077 && cat >kubeconfig.new) <<YAML
apiVersion: v1
kind: Config
current-context: uko-operator-test
contexts: [{name: uko-operator-test, context: {cluster: uko-operator-test, user: admin}}]
clusters:
- name: uko-operator-test
  cluster: {server: "https://127.0.0.1:$port", certificate-authority-data: $(openssl base64 -A -in ca.crt)}
users:
- name: admin
  user: {token: $token}
YAML
mv kubeconfig.new kubeconfig
ln -sfn "$bin/kubectl" kubectl
printf 'export KUBECONFIG=%q\nexport PATH=%q:"$PATH"\n' "$dir/kubeconfig" "$bin" >env

component kube-controller-manager "$bin/kube-controller-manager" \
  --kubeconfig kubeconfig --authentication-kubeconfig kubeconfig --authorization-kubeconfig kubeconfig \
  --secure-port 0 --leader-elect=false --profiling=false \
  --service-account-private-key-file secrets/service-accounts.key --root-ca-file ca.crt
until_answers /api/v1/namespaces/default/serviceaccounts/default "the service account of namespace default is"

echo "https://127.0.0.1:$port" >ready.new
mv ready.new ready
say "Kubernetes at https://127.0.0.1:$port after $((SECONDS - started)) s; source $dir/env"

wait -n "${child[@]}" || true
for name in etcd kube-apiserver kube-controller-manager; do alive "$name" || fallen "$name"; done
