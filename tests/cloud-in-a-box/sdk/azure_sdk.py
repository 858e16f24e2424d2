"""Drives the box with the Azure SDK for Python, unchanged, through HTTPS_PROXY.

In: DIR of a running box (`. DIR/env; python3 azure_sdk.py DIR`). Out: a line per step; exit code 1 on the first mismatch.
Never: a setting of the SDK that a user of the real cloud would not make, apart from not waiting between retries.
"""

import json
import pathlib
import sys
import urllib.request

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.privatedns import PrivateDnsManagementClient

KEK = "EKMF-BYOK-KEK-FOR-IMPORT"


def check(name, got, want):
    if got != want:
        sys.exit(f"MISMATCH {name}: got {got!r}, want {want!r}")
    print(f"ok {name}")


def fails(name, error, call, words):
    """The call fails with this error, and its text holds these words."""
    try:
        call()
    except error as raised:
        if words not in str(raised):
            sys.exit(f"MISMATCH {name}: {words!r} is not in {raised}")
        print(f"ok {name}")
        return
    sys.exit(f"MISMATCH {name}: did not fail")


def control(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def main(folder):
    seed = json.loads((folder / "seed.json").read_text())["azure"]
    base = (folder / "control").read_text().strip()
    # No waiting in a test: the operations answer `Retry-After: 0`.
    control(base, "/state", {"settings": {"retryAfterSeconds": 0}})
    operator, principal = seed["operator"], seed["servicePrincipal"]
    vault, rg, network_rg = seed["vaults"]["premium"], seed["resourceGroup"], seed["networkResourceGroup"]
    subscription = seed["subscriptionId"]

    credential = ClientSecretCredential(seed["tenantId"], operator["clientId"], operator["clientSecret"])
    wrong = ClientSecretCredential(seed["tenantId"], operator["clientId"], "wrong")
    fails("wrong secret", ClientAuthenticationError, lambda: wrong.get_token("https://management.azure.com/.default"), "AADSTS7000215")
    nowhere = ClientSecretCredential("99999999-0000-4000-8000-000000000000", operator["clientId"], "x")
    fails("wrong tenant", ClientAuthenticationError, lambda: nowhere.get_token("https://management.azure.com/.default"), "")

    vaults = KeyVaultManagementClient(credential, subscription, polling_interval=0)
    networks = NetworkManagementClient(credential, subscription, polling_interval=0)
    zones = PrivateDnsManagementClient(credential, subscription, polling_interval=0)

    found = vaults.vaults.get(rg, vault["name"])
    check("vault", (found.name, found.properties.sku.name.lower(), found.properties.vault_uri), (vault["name"], vault["sku"], vault["uri"]))
    names = sorted(item.name for item in vaults.vaults.list_by_resource_group(rg))
    check("vaults of the group", names, sorted(entry["name"] for entry in seed["vaults"].values()))
    fails("no such vault", ResourceNotFoundError, lambda: vaults.vaults.get(rg, "nothing-here"), "ResourceNotFound")
    check("deleted vaults", list(vaults.vaults.list_deleted()), [])
    link = list(vaults.private_link_resources.list_by_vault(rg, vault["name"]).value)
    check("zone to make", link[0].properties.required_zone_names, [seed["privateDnsZoneName"]])

    subnet = networks.subnets.get(network_rg, seed["vnetId"].split("/")[-1], "private-endpoints")
    check("subnet", (subnet.id, subnet.delegations), (seed["subnetId"], []))
    body = {
        "location": seed["location"],
        "tags": {"owner": "sdk"},
        "properties": {
            "subnet": {"id": seed["subnetId"]},
            "customNetworkInterfaceName": "sdk-nic",
            "manualPrivateLinkServiceConnections": [
                {
                    "name": "sdk",
                    "properties": {"privateLinkServiceId": vault["id"], "groupIds": ["vault"], "requestMessage": "please"},
                }
            ],
        },
    }
    endpoint = networks.private_endpoints.begin_create_or_update(network_rg, "sdk-pe", body).result()
    manual = endpoint.manual_private_link_service_connections[0]
    check("endpoint", (endpoint.provisioning_state, manual.private_link_service_connection_state.status), ("Succeeded", "Pending"))
    pending = list(vaults.private_endpoint_connections.list_by_resource(rg, vault["name"]))
    check("vault's side", [item.properties.private_endpoint.id for item in pending], [endpoint.id])
    approval = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved", "description": "ok"}}}
    vaults.private_endpoint_connections.put(rg, vault["name"], pending[0].name, approval)
    endpoint = networks.private_endpoints.get(network_rg, "sdk-pe")
    manual = endpoint.manual_private_link_service_connections[0]
    check("approved", manual.private_link_service_connection_state.status, "Approved")
    nic = networks.network_interfaces.get(network_rg, "sdk-nic")
    address = nic.ip_configurations[0].private_ip_address
    check("address", (address, nic.ip_configurations[0].private_link_connection_properties.group_id), ("10.0.0.4", "vault"))
    check("dns of the endpoint", [config.ip_addresses for config in endpoint.custom_dns_configs], [[address]])

    zone_config = {"name": "vault", "properties": {"privateDnsZoneId": seed["privateDnsZoneId"]}}
    group = networks.private_dns_zone_groups.begin_create_or_update(
        network_rg, "sdk-pe", "default", {"properties": {"privateDnsZoneConfigs": [zone_config]}}
    ).result()
    check("zone group", group.provisioning_state, "Succeeded")
    record = zones.record_sets.get(network_rg, seed["privateDnsZoneName"], "A", vault["name"])
    check("a record", [entry.ipv4_address for entry in (record.a_records or record.properties.a_records)], [address])
    links = list(zones.virtual_network_links.list(network_rg, seed["privateDnsZoneName"]))
    check("zone link", [entry.virtual_network_link_state for entry in links], ["Completed"])
    zones.private_zones.begin_create_or_update(network_rg, "example.internal", {"location": "global"}).result()
    check("second zone", zones.private_zones.get(network_rg, "example.internal").name, "example.internal")
    zones.virtual_network_links.begin_create_or_update(
        network_rg, "example.internal", "net", {"location": "global", "properties": {"virtualNetwork": {"id": seed["vnetId"]}, "registrationEnabled": False}}
    ).result()
    fails("zone with a link", HttpResponseError, lambda: zones.private_zones.begin_delete(network_rg, "example.internal"), "CannotDeleteResource")
    zones.virtual_network_links.begin_delete(network_rg, "example.internal", "net").result()
    zones.private_zones.begin_delete(network_rg, "example.internal").result()
    fails("zone is gone", ResourceNotFoundError, lambda: zones.private_zones.get(network_rg, "example.internal"), "ResourceNotFound")

    stranger = "77777777-0000-4000-8000-000000000007"
    policy = {"tenantId": seed["tenantId"], "objectId": stranger, "permissions": {"keys": ["get", "list"]}}
    vaults.vaults.update_access_policy(rg, vault["name"], "add", {"properties": {"accessPolicies": [policy]}})
    held = [entry for entry in vaults.vaults.get(rg, vault["name"]).properties.access_policies if entry.object_id == stranger]
    check("policy added", [list(entry.permissions.keys_property if hasattr(entry.permissions, "keys_property") else entry.permissions["keys"]) for entry in held], [["get", "list"]])

    authorization = AuthorizationManagementClient(credential, subscription)
    roles = list(authorization.role_assignments.list_for_scope(vault["id"], filter=f"assignedTo('{operator['objectId']}')"))
    check("role assignments", [role.principal_id for role in roles], [operator["objectId"]])

    made = vaults.keys.create_if_not_exist(rg, vault["name"], KEK, {"properties": {"kty": "RSA-HSM", "keySize": 4096, "keyOps": ["import"]}})
    again = vaults.keys.create_if_not_exist(rg, vault["name"], KEK, {"properties": {"kty": "RSA-HSM", "keySize": 4096, "keyOps": ["import"]}})
    check("arm key is made once", again.key_uri_with_version, made.key_uri_with_version)

    keys = KeyClient(vault["uri"], credential)
    key = keys.get_key(KEK)
    check("key", (key.name, key.key_type.value, [str(getattr(op, "value", op)) for op in key.key_operations], len(key.key.n)), (KEK, "RSA-HSM", ["import"], 512))
    check("listed", [item.name for item in keys.list_properties_of_keys()], [KEK])
    keys.begin_delete_key(KEK).wait()
    fails("deleted", ResourceNotFoundError, lambda: keys.get_key(KEK), "KeyNotFound")
    fails("name is not free", ResourceExistsError, lambda: keys.create_rsa_key(KEK, hardware_protected=True), "Conflict")
    check("deleted key", keys.get_deleted_key(KEK).name, KEK)
    keys.begin_recover_deleted_key(KEK).wait()
    check("recovered", keys.get_key(KEK).properties.version, key.properties.version)
    keys.update_key_properties(KEK, enabled=False)
    check("disabled", keys.get_key(KEK).properties.enabled, False)

    own = ClientSecretCredential(seed["tenantId"], principal["clientId"], principal["clientSecret"])
    check("the principal reads keys", KeyClient(vault["uri"], own).get_key(KEK).name, KEK)
    fails("the principal has no ARM right", HttpResponseError, lambda: KeyVaultManagementClient(own, subscription).vaults.get(rg, vault["name"]), "AuthorizationFailed")

    vaults.vaults.update(rg, vault["name"], {"properties": {"publicNetworkAccess": "Disabled"}})
    closed = vaults.vaults.get(rg, vault["name"])
    check("closed", (closed.properties.public_network_access, closed.properties.network_acls), ("Disabled", None))
    fails("out of reach", HttpResponseError, lambda: keys.get_key(KEK), "Public network access is disabled")
    control(base, "/state", {"settings": {"callerOnPrivateNetwork": True}})
    check("by the private path", keys.get_key(KEK).name, KEK)

    networks.private_dns_zone_groups.begin_delete(network_rg, "sdk-pe", "default").result()
    networks.private_endpoints.begin_delete(network_rg, "sdk-pe").result()
    fails("endpoint is gone", ResourceNotFoundError, lambda: networks.private_endpoints.get(network_rg, "sdk-pe"), "ResourceNotFound")
    check("vault's side is gone", list(vaults.private_endpoint_connections.list_by_resource(rg, vault["name"])), [])
    print("all well")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
