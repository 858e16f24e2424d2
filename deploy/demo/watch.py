#!/usr/bin/env python3
"""Shows the stages of resources as they change, until each has the wanted Ready status.

In: kubectl, a kubeconfig, a namespace, a deadline in seconds, then KIND/NAME=STATUS words. Out: one line for each change;
with --changes in front what stands already is not told.
Never: changes anything; ends with 1 when the deadline passes.
"""
import json
import subprocess
import sys
import time

CHANGES_ONLY = sys.argv[1] == "--changes"
ARGUMENTS = sys.argv[2:] if CHANGES_ONLY else sys.argv[1:]
KUBECTL, KUBECONFIG, NAMESPACE, DEADLINE = ARGUMENTS[:4]
WANTED = dict(word.split("=") for word in ARGUMENTS[4:])
COLOUR = sys.stdout.isatty()
MARKS = {"True": ("\033[32m", "ok"), "False": ("\033[31m", "no"), "Unknown": ("\033[2m", "..")}
SHORT = {"connectorendpoint": "endpoint", "azurekeystoreconnection": "connection"}


def read(target):
    command = [KUBECTL, "--kubeconfig", KUBECONFIG, "-n", NAMESPACE, "get", target, "-o", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(answer.stdout) if answer.returncode == 0 else {}


def line(target, condition, started):
    colour, mark = MARKS.get(condition["status"], MARKS["Unknown"])
    if condition["status"] == "False" and condition["reason"].endswith("InProgress"):
        colour, mark = "\033[33m", ">>"
    on, off = (colour, "\033[0m") if COLOUR else ("", "")
    who = SHORT.get(target.split("/")[0], target)
    print(f"{time.monotonic() - started:5.1f} s  {who:<11}{on}{mark}{off}  {condition['type']:<24} {condition['message'] or condition['reason']}", flush=True)


def main():
    started, said, first = time.monotonic(), {}, CHANGES_ONLY
    while time.monotonic() - started < float(DEADLINE):
        reached = 0
        for target, wanted in WANTED.items():
            item = read(target)
            conditions = item.get("status", {}).get("conditions", [])
            current = item.get("status", {}).get("observedGeneration") == item.get("metadata", {}).get("generation")
            for condition in conditions:
                now = (condition["status"], condition["reason"], condition["message"])
                waits = condition["reason"] == "WaitingForEarlierStage" or condition["type"] in ("Reconciling", "Stalled")
                if said.get((target, condition["type"])) != now and not waits and not first:
                    line(target, condition, started)
                said[(target, condition["type"])] = now
            ready = next((condition for condition in conditions if condition["type"] == "Ready"), {})
            reached += current and ready.get("status") == wanted
        if reached == len(WANTED):
            return 0
        first = False
        time.sleep(0.2)
    return 1


sys.exit(main())
