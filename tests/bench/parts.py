"""The things that a benchmark touches: the Kubernetes API, the cloud in a box, the operator's process.

In: what run.sh has started. Out: small objects that ask and count. Never: waits a fixed time for something that can be asked.
"""
import atexit
import base64
import calendar
import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ME = "uko-operator-bench"
KINDS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "ConnectorEndpoint": ("/apis/uko-operator.io/v1alpha1", "connectorendpoints"),
    "AzureKeystoreConnection": ("/apis/uko-operator.io/v1alpha1", "azurekeystoreconnections"),
}
TOKENS = ("entra", "iam")


def until(what, ask, seconds=60):
    """The first answer of `ask` that is not None."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what} did not come within {seconds} s")
        time.sleep(0.005)


class Kube:
    """Kubernetes as the cluster's admin; its audit log tells our calls from the operator's by the user agent."""

    def __init__(self, folder):
        config = json.loads((folder / "kubeconfig.json").read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address = urllib.parse.urlsplit(cluster["server"]).netloc
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        self.headers = {"Authorization": f"Bearer {user['token']}", "User-Agent": ME}
        self.audit = folder / "audit.log"
        self.connection, self.used = None, float("-inf")

    def _open(self, timeout=60):
        return http.client.HTTPSConnection(self.address, context=self.tls, timeout=timeout)

    def ask(self, method, path, body=None, kind="application/json"):
        if time.monotonic() > self.used + 30:  # the server hangs up on who is silent
            self.connection = self._open()
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, {**self.headers, "Content-Type": kind})
        answer = self.connection.getresponse()
        data = json.loads(answer.read())
        self.used = time.monotonic()
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {path}: {answer.status} {data.get('message')}")
        return data

    @staticmethod
    def path(kind, namespace=None, name=None):
        group, plural = KINDS[kind]
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{group}{inside}/{plural}" + (f"/{name}" if name else "")

    def create(self, namespace, thing):
        return self.ask("POST", self.path(thing["kind"], namespace), thing)

    def namespace(self, name):
        self.create(None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def get(self, kind, namespace, name):
        return self.ask("GET", self.path(kind, namespace, name))

    def annotate(self, kind, namespace, name, notes):
        patch = {"metadata": {"annotations": notes}}
        return self.ask("PATCH", self.path(kind, namespace, name), patch, "application/merge-patch+json")

    def remove(self, namespace):
        for kind in ("AzureKeystoreConnection", "ConnectorEndpoint"):
            self.ask("DELETE", self.path(kind, namespace))
        self.ask("DELETE", self.path("Namespace", None, namespace))

    def watch(self, kind, namespace, into):
        """Puts (time, object) into a queue for each change, until the process ends."""

        def begin():
            connection = self._open(timeout=None)
            connection.request("GET", self.path(kind, namespace) + "?watch=true&timeoutSeconds=3600", headers=self.headers)
            stream = connection.getresponse()
            return stream if stream.status == 200 else time.sleep(0.2)  # a kind that was just made is not served at once

        stream = until(f"a watch of {kind}", begin)

        def read():
            for line in stream:
                into.put((time.time(), json.loads(line)["object"]))

        threading.Thread(target=read, daemon=True).start()

    def calls(self, start, end):
        """What the operator asked of the API server in a span of time, as {verb resource: count}; leases, and watches that began."""
        found = {}
        for line in self.audit.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that is being written
            agent = entry.get("userAgent", "")
            ours = agent.startswith((ME, "kubectl", "kube-", "curl"))
            if ours or entry.get("stage") not in ("ResponseComplete", "ResponseStarted"):
                continue
            if (entry["verb"] == "watch") != (entry["stage"] == "ResponseStarted"):
                continue
            if start <= seconds(entry["requestReceivedTimestamp"]) <= end:
                what = entry.get("objectRef", {})
                name = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
                key = f"{entry['verb']} {name or entry['requestURI']}"
                found[key] = found.get(key, 0) + 1
        return found


def seconds(stamp):
    """Seconds since 1970 of an RFC 3339 time stamp in UTC."""
    whole, _, rest = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest or 0}")


class Cloud:
    """The cloud in a box, through its control interface."""

    def __init__(self, folder):
        self.control = (folder / "control").read_text().strip().rstrip("/")
        self.authority = folder / "ca.pem"
        text = (folder / "env").read_text()
        pairs = re.findall(r"^export (\w+)=['\"]?([^'\"\n]*)", text, re.M)
        self.proxy = {name: value for name, value in pairs if name.lower().endswith("_proxy")}
        self.http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control}/{path}", data, {"Content-Type": "application/json"})
        with self.http.open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def state(self):
        return self._ask("state")

    def fresh(self, patch):
        """As at the start, but everything is done at the first look."""
        self._ask("reset", {})
        self._ask("state", {
            "settings": {"operationPolls": 0, "retryAfterSeconds": 0},
            "ibm": {"switches": {"readsToClientAddress": 0}},
        })
        self._ask("state", patch)

    def requests(self, after=0):
        return self._ask(f"requests?after={after}")

    def last(self):
        return max((request["seq"] for request in self.requests()), default=0)


def kind_of_call(request):
    """token, write or read; a POST to GraphQL reads, a dry run is counted as a write although it keeps nothing."""
    if request["service"] in TOKENS:
        return "token"
    reads = request["method"] in ("GET", "HEAD") or request["service"] == "containers"
    return "read" if reads else "write"


class Operator:
    """The release binary as a process of its own."""

    def __init__(self, binary, folder, cloud, name):
        self.log = folder / f"operator-{name}.log"
        environment = {"KUBECONFIG": str(folder / "cluster/kubeconfig"), "HOME": str(folder), **cloud.proxy}
        # Production's own timings; only the interval may be as short as the kinds allow.
        command = [binary, "run", "--policy", str(folder / "manifests/policy.yaml"), "--namespace", ME,
                   "--extra-ca-file", str(cloud.authority), "--listen", "127.0.0.1:0", "--min-interval", "10s",
                   # quick and full looks are measured apart
                   "--full-look-interval", "30m"]
        with self.log.open("wb") as log:
            self.started = time.time()
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        atexit.register(self.child.kill)
        self.http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def page(self, path):
        found = until("the operator's port", lambda: re.search(rb"listen=(127\.0\.0\.1:\d+)", self.log.read_bytes()))
        try:
            with self.http.open(f"http://{found[1].decode()}{path}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            return None

    def leading(self):
        until("an operator that leads", lambda: True if b" leading " in self.log.read_bytes() else None)
        return self

    def passes(self):
        """Finished passes by kind."""
        found = {"ConnectorEndpoint": 0, "AzureKeystoreConnection": 0}
        for kind, count in re.findall(r'^\w*_reconciles_total\{kind="(\w+)"[^}]*\} (\d+)', self.page("/metrics"), re.M):
            found[kind] += int(count)
        return found

    def cpu(self):
        """Seconds on a processor of all its threads, to the nanosecond where the kernel tells."""
        tasks = pathlib.Path(f"/proc/{self.child.pid}/task")
        try:
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        except FileNotFoundError:
            fields = (tasks.parent / "stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """MiB by the kernel's names, and the number of threads."""
        text = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        sizes = {name: int(size) / 1024 for name, size in re.findall(r"^(VmRSS|VmHWM|RssAnon|RssFile):\s+(\d+) kB", text, re.M)}
        return {**sizes, "Threads": int(re.search(r"^Threads:\s+(\d+)", text, re.M)[1])}

    def stop(self):
        self.child.terminate()
        self.child.wait(timeout=60)
