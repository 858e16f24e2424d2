#!/usr/bin/env python3
"""Puts the names of a cloud in a box into the sample manifests.

In: the box's seed.json and deploy/samples/. Out: DIR/{secrets,connector-endpoint,azure-keystore-connection,policy}.yaml.
Never: changes a sample; a sample that lost a line fails here.
"""
import json
import pathlib
import sys

SAMPLES = pathlib.Path(__file__).resolve().parents[1] / "samples"


def replaced(text, pairs):
    for old, new in pairs:
        if old not in text:
            raise SystemExit(f"render.py: the sample no longer holds {old!r}")
        text = text.replace(old, new)
    return text


def main():
    seed = json.loads(pathlib.Path(sys.argv[1]).read_text())
    namespace, out = sys.argv[2], pathlib.Path(sys.argv[3])
    azure, ibm = seed["azure"], seed["ibm"]
    vault = azure["vaults"]["premium"]["name"]
    sample_subscription = "0b9d5f3e-6a71-4c1d-8e2f-5a4b3c2d1e0f"
    instance = ("3f8a6b1c-2d4e-4a5b-9c7d-8e0f1a2b3c4d", ibm["uko"]["instanceId"])
    connection = replaced((SAMPLES / "azure-keystore-connection.yaml").read_text(), [
        ("7d1c1f0a-3f5b-4d0e-9b1a-2c5e6f708192", azure["tenantId"]),
        (f"/subscriptions/{sample_subscription}/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet-keys/subnets/private-endpoints", azure["subnetId"]),
        (f"/subscriptions/{sample_subscription}/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net", azure["privateDnsZoneId"]),
        (sample_subscription, azure["subscriptionId"]),
        ("resourceGroup: rg-keys", f"resourceGroup: {azure['resourceGroup']}"),
        ("resourceGroup: rg-network", f"resourceGroup: {azure['networkResourceGroup']}"),
        ("vaultName: payments-kv", f"vaultName: {vault}"),
        ("5e0c9a47-1b2d-4f3e-a6c8-9d7b5e3f1a20", azure["servicePrincipal"]["clientId"]),
        ("c4a8e2b6-7f1d-4390-b5e3-6d2c8f0a1b94", azure["operator"]["clientId"]),
        instance,
        ("region: eu-de", f"region: {ibm['region']}"),
        ("      name: payments\n  keystore:", f"      name: {ibm['uko']['vault']['name']}\n  keystore:"),
        ("checkIntervalSeconds: 60", "checkIntervalSeconds: 10"),
        ("  connectionTest: Required", "  intervalSeconds: 10\n  connectionTest: Required"),
    ])
    endpoint = replaced((SAMPLES / "connector-endpoint.yaml").read_text(), [
        ("U2F0ZWxsaXRlQ29ubmVjdG9yOiJjaThzdWd1ZDFwZ2RrZmUxa3UxZyI", ibm["connector"]["id"]),
        ("payments-kv.privatelink.vaultcore.azure.net", f"{vault}.{azure['privateDnsZoneName']}"),
    ])
    policy = replaced((SAMPLES / "policy.example.yaml").read_text(), [instance, ("namespaces: [keys]", f"namespaces: [{namespace}]")])
    secrets = "---\n".join(
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  {key}: {json.dumps(value)}\n"
        for name, key, value in [
            ("payments-sp", "clientSecret", azure["servicePrincipal"]["clientSecret"]),
            ("azure-operator", "clientSecret", azure["operator"]["clientSecret"]),
            ("ibm-cloud", "apiKey", ibm["apiKey"]),
        ])
    for name, text in [("secrets", secrets), ("connector-endpoint", endpoint), ("azure-keystore-connection", connection), ("policy", policy)]:
        (out / f"{name}.yaml").write_text(text)


main()
