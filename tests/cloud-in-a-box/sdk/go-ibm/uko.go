package main

import (
	"fmt"

	"github.com/IBM/go-sdk-core/v5/core"
	"github.com/IBM/ibm-hpcs-uko-sdk/ukov4"
)

// uko walks a vault and a keystore through the SDK, at one host form of the instance.
func (box *Box) uko(url, address string) {
	fmt.Printf("at %s\n", url)
	service, err := ukov4.NewUkoV4(&ukov4.UkoV4Options{URL: url, Authenticator: box.authenticator()})
	box.must("UKO client", err)
	box.vaults(service)
	box.keystores(service, address)
}

func (box *Box) vaults(service *ukov4.UkoV4) {
	found, _, err := service.ListVaults(service.NewListVaultsOptions().SetName(box.Seed.Ibm.Uko.Vault.Name))
	box.must("list vaults", err)
	box.check("the seed's vault is listed", len(found.Vaults) == 1 && *found.Vaults[0].ID == box.Seed.Ibm.Uko.Vault.ID, found.Vaults)
	made, response, err := service.CreateVault(service.NewCreateVaultOptions("sdk").SetDescription("made by the SDK"))
	box.must("create vault", err)
	box.check("create answers 201 with ETag and Location", response.StatusCode == 201 && response.Headers.Get("ETag") != "" &&
		response.Headers.Get("Location") == "/api/v4/vaults/"+*made.ID && response.Headers.Get("X-Correlation-ID") != "", response.Headers)
	_, response, err = service.CreateVault(service.NewCreateVaultOptions("sdk"))
	box.refused("a second vault of that name", response, err, 409)
	_, response, err = service.GetVault(service.NewGetVaultOptions(*made.ID))
	box.must("get vault", err)
	changed, response, err := service.UpdateVault(service.NewUpdateVaultOptions(*made.ID, response.Headers.Get("ETag")).SetDescription("changed"))
	box.must("update vault", err)
	box.check("the description changed", *changed.Description == "changed", *changed.Description)
	stale, err := service.DeleteVault(service.NewDeleteVaultOptions(*made.ID, "2001-01-01T00:00:00Z"))
	box.refused("a stale ETag", stale, err, 412)
	_, err = service.DeleteVault(service.NewDeleteVaultOptions(*made.ID, response.Headers.Get("ETag")))
	box.must("delete vault", err)
}

func (box *Box) body(service *ukov4.UkoV4, address string) *ukov4.KeystoreCreationRequestKeystoreTypeAzureCreate {
	azure := box.Seed.Azure
	vault, err := service.NewVaultReferenceInCreationRequest(box.Seed.Ibm.Uko.Vault.ID)
	box.must("vault reference", err)
	body, err := service.NewKeystoreCreationRequestKeystoreTypeAzureCreate("azure_key_vault", vault, azure.Vaults.Premium.Name,
		azure.ResourceGroup, "europe_west", azure.Principal.ClientID, azure.Principal.ClientSecret, azure.TenantID,
		azure.SubscriptionID, "azure")
	box.must("keystore body", err)
	body.Name = core.StringPtr("sdk-keystore")
	body.TlsProxy = core.StringPtr(address)
	return body
}

func (box *Box) keystores(service *ukov4.UkoV4, address string) {
	box.dryRuns(service, address)
	made, response, err := service.CreateKeystore(service.NewCreateKeystoreOptions(box.body(service, address)))
	box.must("create keystore", err)
	keystore, ok := made.(*ukov4.Keystore)
	box.check("the SDK knows the keystore's type", ok, fmt.Sprintf("%T", made))
	if !ok {
		return
	}
	id := *keystore.ID
	box.check("create answers 201 with ETag", response.StatusCode == 201 && response.Headers.Get("ETag") != "", response.Headers)
	box.check("the password is masked", *keystore.AzureServicePrincipalPassword == "***", "shown")
	box.check("the default group is the name", len(keystore.Groups) == 1 && keystore.Groups[0] == "sdk-keystore", keystore.Groups)
	_, response, err = service.CreateKeystore(service.NewCreateKeystoreOptions(box.body(service, address)))
	box.refused("a second keystore of that name", response, err, 409)
	box.lists(service, id)

	status, _, err := service.GetKeystoreStatus(service.NewGetKeystoreStatusOptions(id))
	box.must("keystore status", err)
	box.check("the keystore is ok with a heartbeat", *status.HealthStatus == "ok" && status.LastHeartbeat != nil, *status.HealthStatus)
	box.changes(service, id)
	box.disconnect(service, id)
}

func (box *Box) dryRuns(service *ukov4.UkoV4, address string) {
	_, response, err := service.CreateKeystore(service.NewCreateKeystoreOptions(box.body(service, address)).SetDryRun(true))
	box.must("dry run", err)
	box.check("a good dry run is 201", response.StatusCode == 201, response.StatusCode)
	wrong := box.body(service, address)
	wrong.AzureServicePrincipalPassword = core.StringPtr("wrong")
	_, response, err = service.CreateKeystore(service.NewCreateKeystoreOptions(wrong).SetDryRun(true))
	box.refused("a dry run with a wrong password", response, err, 400)
	box.check("it names the password", target(response) == "azure_service_principal_password", target(response))
	_, response, err = service.CreateKeystore(service.NewCreateKeystoreOptions(box.body(service, "elsewhere:1")).SetDryRun(true))
	box.refused("a dry run with a wrong proxy", response, err, 400)
	box.check("it names the proxy", target(response) == "tls_proxy", target(response))
	list, _, err := service.ListKeystores(service.NewListKeystoresOptions())
	box.must("list keystores", err)
	box.check("a dry run stores nothing", *list.TotalCount == 0, *list.TotalCount)
}

func (box *Box) lists(service *ukov4.UkoV4, id string) {
	options := service.NewListKeystoresOptions().SetVaultID([]string{box.Seed.Ibm.Uko.Vault.ID}).SetName("sdk").SetLimit(1)
	pager, err := service.NewKeystoresPager(options)
	box.must("keystore pager", err)
	all, err := pager.GetAll()
	box.must("all keystores", err)
	box.check("the keystore is listed", len(all) == 1, len(all))
	keys, _, err := service.ListManagedKeysFromKeystore(service.NewListManagedKeysFromKeystoreOptions(id).SetState([]string{"active", "deactivated"}))
	box.must("keys of the keystore", err)
	box.check("no key is installed", *keys.TotalCount == 0, *keys.TotalCount)
	_, _, err = service.ListAssociatedResourcesForTargetKeystore(service.NewListAssociatedResourcesForTargetKeystoreOptions(id))
	box.must("associated resources", err)
}

func (box *Box) changes(service *ukov4.UkoV4, id string) {
	_, response, err := service.GetKeystore(service.NewGetKeystoreOptions(id))
	box.must("get keystore", err)
	etag := response.Headers.Get("ETag")
	change := &ukov4.KeystoreUpdateRequestKeystoreTypeAzureUpdate{Description: core.StringPtr("changed by the SDK")}
	changed, _, err := service.UpdateKeystore(service.NewUpdateKeystoreOptions(id, etag, change))
	box.must("update keystore", err)
	keystore, ok := changed.(*ukov4.Keystore)
	box.check("the description changed", ok && *keystore.Description == "changed by the SDK", changed)
	_, response, err = service.UpdateKeystore(service.NewUpdateKeystoreOptions(id, "2001-01-01T00:00:00Z", change))
	box.refused("a stale ETag", response, err, 412)
	_, response, err = service.GetKeystore(service.NewGetKeystoreOptions(id))
	box.must("get keystore again", err)
	locked := &ukov4.KeystoreUpdateRequestKeystoreTypeAzureUpdate{AzureTenant: core.StringPtr("another")}
	_, response, err = service.UpdateKeystore(service.NewUpdateKeystoreOptions(id, response.Headers.Get("ETag"), locked))
	box.refused("a locked field", response, err, 400)
}

func (box *Box) disconnect(service *ukov4.UkoV4, id string) {
	_, response, err := service.GetKeystore(service.NewGetKeystoreOptions(id))
	box.must("get keystore", err)
	etag := response.Headers.Get("ETag")
	response, err = service.DeleteKeystore(service.NewDeleteKeystoreOptions(id, etag).SetMode("restrict"))
	box.must("disconnect", err)
	box.check("disconnect answers 204", response.StatusCode == 204, response.StatusCode)
	_, response, err = service.GetKeystore(service.NewGetKeystoreOptions(id))
	box.refused("a disconnected keystore", response, err, 404)
}

// target is the name of the field that an ApiError blames.
func target(response *core.DetailedResponse) string {
	if response == nil {
		return ""
	}
	body, _ := response.Result.(map[string]any)
	faults, _ := body["errors"].([]any)
	if len(faults) == 0 {
		return ""
	}
	fault, _ := faults[0].(map[string]any)
	place, _ := fault["target"].(map[string]any)
	name, _ := place["name"].(string)
	return name
}
