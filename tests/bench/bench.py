"""Measures the release operator and prints a table: minimum, median, maximum of several runs.

In: the binary, and the folder in which run.sh has put a cluster, a cloud and manifests. Out: the table, figures.json.
Never: judges. Times depend on the machine; counts (cloud calls, calls to the Kubernetes API) do not.
"""
import copy
import json
import os
import pathlib
import queue
import signal
import statistics
import sys
import threading
import time

from parts import ME, Cloud, Kube, Operator, kind_of_call, until

RUNS = int(os.environ.get("RUNS", "5"))
WINDOW = float(os.environ.get("WINDOW", "90"))
SPANS = 3  # into which WINDOW is cut
PAIRS = 5  # a ConnectorEndpoint and an AzureKeystoreConnection each: 10 resources
BOTH = ("ConnectorEndpoint", "AzureKeystoreConnection")


class Bench:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.kube, self.cloud = Kube(folder), Cloud(folder / "cloud")
        self.figures, self.notes = {}, []
        self.secrets = documents(folder / "manifests/secrets.json")
        [self.endpoint] = documents(folder / "manifests/connector-endpoint.json")
        [self.connection] = documents(folder / "manifests/azure-keystore-connection.json")
        self.seed_vault = self.connection["spec"]["azure"]["vaultName"]

    def add(self, what, value, target=""):
        self.figures.setdefault(what, {"target": target, "values": []})["values"].append(value)

    def operator(self, name):
        return Operator(self.binary, self.folder, self.cloud, name)

    def namespace(self, name):
        self.kube.namespace(name)
        for secret in self.secrets:
            self.kube.create(name, secret)

    def pair(self, vault):
        """The two manifests for a Key Vault, named after it."""
        endpoint, connection = copy.deepcopy(self.endpoint), copy.deepcopy(self.connection)
        endpoint["metadata"] = {"name": vault}
        endpoint["spec"]["intervalSeconds"] = 10
        host = endpoint["spec"]["destination"]["host"]
        endpoint["spec"]["destination"]["host"] = host.replace(self.seed_vault, vault)
        connection["metadata"] = {"name": vault}
        spec = connection["spec"]
        spec["intervalSeconds"] = 10
        spec["azure"]["vaultName"] = spec["keystore"]["name"] = vault
        spec["privateEndpoint"]["name"] = f"{vault}-pe"
        spec["connectorEndpointRef"]["name"] = vault
        return endpoint, connection

    def vaults(self, count):
        """A patch of the cloud's state with more Key Vaults like the seed's."""
        model = self.cloud.state()["azure"]["vaults"][self.seed_vault]
        names = [f"bench-{index}-kv" for index in range(count)]
        copies = {name: {**model, "name": name, "id": model["id"].replace(self.seed_vault, name)} for name in names}
        return names, {"azure": {"vaults": copies}}

    # --- from apply to Ready -----------------------------------------------------------------------------------------
    def apply_to_ready(self, run):
        """One connection, by an operator that has just started: no token, no connection to any cloud yet."""
        self.cloud.fresh({})
        space = f"bench-ready-{run}"
        self.namespace(space)
        operator = self.operator(f"ready-{run}").leading()
        seen = queue.Queue()
        for kind in BOTH:
            self.kube.watch(kind, space, seen)
        before, passes, cpu = self.cloud.last(), operator.passes(), operator.cpu()
        started = time.time()
        for thing in self.pair(self.seed_vault):
            self.kube.create(space, thing)
        became = self.follow(seen, started)
        took = max(became.values())
        after = operator.passes()
        self.add("apply -> Ready, one connection, s", took, "< 3")
        requests = self.cloud.requests(before)
        for kind in ("read", "write", "token"):
            self.add(f"  cloud calls of it: {kind}s", sum(kind_of_call(request) == kind for request in requests))
        for kind in BOTH:
            self.add(f"  passes over the {kind}", after[kind] - passes[kind])
        self.add("  time in the cloud (sum of its calls), s", sum(one["t_end"] - one["t_start"] for one in requests))
        self.add("  CPU of the operator, ms", (operator.cpu() - cpu) * 1000)
        calls = self.kube.calls(started, started + took)
        self.add("  Kubernetes: reads", reads(calls))
        self.add("  Kubernetes: status writes", of(calls, "/status"))
        self.add("  Kubernetes: events", of(calls, "events"))
        for what, at in became.items():
            self.add(f"  {what}, s after apply", at)
        if run == 0:
            self.notes.append("Requests of the first run, ms after apply, and how long each took:\n" + timeline(requests, started))
        operator.stop()
        self.kube.remove(space)

    def follow(self, seen, started):
        """When each condition of both kinds first became True, until both are Ready."""
        became = {}
        wanted = {"ConnectorEndpoint Ready", "AzureKeystoreConnection Ready"}
        while not wanted <= became.keys():
            at, thing = seen.get(timeout=120)
            for condition in thing.get("status", {}).get("conditions", []):
                if condition["status"] == "True" and condition["type"] != "Reconciling":
                    became.setdefault(f"{thing['kind']} {condition['type']}", at - started)
        return became

    # --- ten resources -----------------------------------------------------------------------------------------------
    def idle(self):
        """What leading costs when there is nothing to look after."""
        self.cloud.fresh({})
        operator = self.operator("idle").leading()
        time.sleep(5)
        cpu, started = operator.cpu(), time.monotonic()
        time.sleep(WINDOW / 3)
        rate = (operator.cpu() - cpu) / (time.monotonic() - started)
        self.remember_memory("without resources", operator, "")
        self.add("CPU while leading, no resources, ms/s", rate * 1000)
        operator.stop()
        return rate

    def ten(self, rate):
        names, patch = self.vaults(PAIRS)
        self.cloud.fresh(patch)
        space = "bench-ten"
        self.namespace(space)
        operator = self.operator("ten").leading()
        started = time.time()
        for name in names:
            for thing in self.pair(name):
                self.kube.create(space, thing)
        for name in names:
            for kind in BOTH:
                until(f"{kind} {name} Ready", lambda: self.is_ready(kind, space, name), 120)
        self.add(f"apply -> Ready, {2 * PAIRS} resources at once, s", time.time() - started)
        until("a round of passes that write nothing", lambda: self.is_calm(operator), 120)
        for run in range(SPANS):
            self.steady(operator, rate, run)
        for run in range(RUNS):
            for kind in BOTH:
                self.full_look(kind, space, names[run % PAIRS], run)
        self.remember_memory(f"{2 * PAIRS} resources", operator, "< 20")
        operator.stop()
        for run in range(RUNS):
            self.start(run)
        self.kube.remove(space)

    def is_ready(self, kind, space, name):
        conditions = self.kube.get(kind, space, name).get("status", {}).get("conditions", [])
        return True if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) else None

    def is_calm(self, operator):
        """True when a span with at least as many passes as resources had no status write."""
        started, passes = time.time(), sum(operator.passes().values())
        until("a round of passes", lambda: True if sum(operator.passes().values()) >= passes + 2 * PAIRS else time.sleep(0.5), 120)
        return True if of(self.kube.calls(started, time.time()), "/status") == 0 else None

    def steady(self, operator, rate, run):
        """All resources at their interval of 10 s for a while."""
        before, passes, cpu, started = self.cloud.last(), operator.passes(), operator.cpu(), time.time()
        time.sleep(WINDOW / SPANS)
        ended, spent = time.time(), operator.cpu() - cpu
        after, requests = operator.passes(), self.cloud.requests(before)
        count = {kind: after[kind] - passes[kind] for kind in BOTH}
        link = sum(request["service"] in ("link", "containers") for request in requests)
        calls = self.kube.calls(started, ended)
        self.add(f"steady: passes in {WINDOW / SPANS:.0f} s", sum(count.values()))
        self.add("steady: cloud reads a pass, AzureKeystoreConnection", (len(requests) - link) / count["AzureKeystoreConnection"], "4")
        self.add("steady: cloud reads a pass, ConnectorEndpoint", link / count["ConnectorEndpoint"])
        self.add("steady: cloud writes", sum(kind_of_call(request) == "write" for request in requests), "0")
        self.add("steady: token requests", sum(kind_of_call(request) == "token" for request in requests))
        self.add("steady: status writes", of(calls, "/status"), "0")
        self.add("steady: Kubernetes calls a pass", sum(calls.values()) / sum(count.values()))
        self.add("  without the renewals of the Lease", reads(calls) / sum(count.values()))
        self.add("steady: CPU a pass, ms", (spent - rate * (ended - started)) / sum(count.values()) * 1000)
        self.add(f"CPU with {2 * PAIRS} resources every 10 s, ms/s", spent / (ended - started) * 1000)
        if run == 0:
            self.notes.append(f"Kubernetes calls in the steady state, {sum(count.values())} passes: {json.dumps(calls, sort_keys=True)}")

    def full_look(self, kind, space, name, run):
        """A person asks for a full look at one resource, in a pause between the looks at the others."""
        until("a pause", self.is_quiet)
        before, mark = self.cloud.last(), f"bench-{run}"
        self.kube.annotate(kind, space, name, {"uko-operator.io/reconcile-requested-at": mark})
        handled = lambda: self.kube.get(kind, space, name).get("status", {}).get("lastHandledReconcileAt") == mark or None
        until("the full look", handled)
        requests = [one for one in self.cloud.requests(before) if self.concerns(one, kind, name)]
        self.add(f"full look: cloud reads, {kind}", sum(kind_of_call(one) == "read" for one in requests), "<= 14")
        if run == 0:
            self.notes.append(f"Full look at a {kind}:\n" + timeline(requests, requests[0]["t_start"] if requests else 0))

    def is_quiet(self):
        """True after half a second without a cloud call."""
        before = self.cloud.last()
        time.sleep(0.5)
        return True if self.cloud.last() == before else None

    def concerns(self, request, kind, name):
        """Whether a request is about this resource: all of Satellite is the endpoint's."""
        link = request["service"] in ("link", "containers")
        if kind == "ConnectorEndpoint":
            return link
        text = request["url"]
        others = [f"bench-{index}-kv" for index in range(PAIRS) if f"bench-{index}-kv" != name]
        return not link and not any(other in text for other in others)

    def start(self, run):
        """A new process with ten resources to look after."""
        before = self.cloud.last()
        operator = self.operator(f"start-{run}")
        requests = until("the first cloud call", lambda: self.cloud.requests(before) or None)
        self.add("start of the process -> first cloud call, s", min(one["t_start"] for one in requests) - operator.started)
        until("a pass over each resource", lambda: True if sum(operator.passes().values()) >= 2 * PAIRS else time.sleep(0.1))
        self.remember_memory(f"{2 * PAIRS} resources, after a restart", operator, "< 20")
        operator.stop()

    # --- memory and the table ----------------------------------------------------------------------------------------
    def remember_memory(self, when, operator, target):
        memory = operator.memory()
        self.add(f"resident, {when}, MiB", memory["VmRSS"], target)
        self.add(f"  of it anonymous, {when}, MiB", memory["RssAnon"])
        self.add(f"  of it files, {when}, MiB", memory["RssFile"])
        self.add(f"  peak so far, {when}, MiB", memory["VmHWM"])
        self.add(f"  threads, {when}", memory["Threads"])

    def run(self):
        self.kube.namespace(ME)
        self.apply_to_ready("warm-up")  # nothing is in memory yet, and the first operator of a cluster makes its fingerprint key
        self.figures, self.notes = {}, []
        for run in range(RUNS):
            self.apply_to_ready(run)
        self.ten(self.idle())
        table(self.figures)
        for note in self.notes:
            print(f"\n{note}")
        (self.folder / "figures.json").write_text(json.dumps(self.figures, indent=1))


def documents(path):
    """JSON documents one after the other, as kubectl prints them; a List counts as its items."""
    text, at, found, decoder = path.read_text(), 0, [], json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.extend(document["items"] if document["kind"] == "List" else [document])
    for thing in found:
        thing["metadata"] = {"name": thing["metadata"]["name"]}
    return found


def of(calls, end):
    return sum(count for name, count in calls.items() if name.endswith(end))


def reads(calls):
    kinds = (" connectorendpoints", " azurekeystoreconnections", " secrets")
    return sum(count for name, count in calls.items() if name.startswith("get ") and name.endswith(kinds))


def timeline(requests, zero):
    lines = []
    for one in sorted(requests, key=lambda one: one["t_start"]):
        start, took = (one["t_start"] - zero) * 1000, (one["t_end"] - one["t_start"]) * 1000
        path = one["url"].split("://")[-1].split("?")[0]
        lines.append(f"  {start:7.0f} {took:5.1f}  {one['status']} {one['service']:10} {one['method']:6} ...{path[-70:]}")
    return "\n".join(lines)


def table(figures):
    print(f"{'':62} {'min':>9} {'median':>9} {'max':>9}  target")
    for what, figure in figures.items():
        values = figure["values"]
        row = [min(values), statistics.median(values), max(values)]
        print(f"{what:62} " + " ".join(f"{value:9.3f}".rstrip("0").rstrip(".").rjust(9) for value in row) + f"  {figure['target']}")


def leave_with(stream):
    """An orderly end when run.sh is gone, so that no operator is left behind."""
    stream.read()
    os.kill(os.getpid(), signal.SIGTERM)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
threading.Thread(target=leave_with, args=[sys.stdin], daemon=True).start()
Bench(sys.argv[1], pathlib.Path(sys.argv[2])).run()
