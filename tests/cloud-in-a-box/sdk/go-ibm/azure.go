package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

const (
	arm       = "https://management.azure.com"
	network   = "?api-version=2024-05-01"
	keyVault  = "?api-version=2023-07-01"
	mostPolls = 50
)

// privatePath builds Azure's side of the path as the operator would, through Resource Manager: a private endpoint, its
// DNS record, and the vault closed to the public.
func (box *Box) privatePath() {
	azure := box.Seed.Azure
	endpoint := "/subscriptions/" + azure.SubscriptionID + "/resourceGroups/rg-network/providers/Microsoft.Network/privateEndpoints/sdk-pe"
	connection := map[string]any{"name": "sdk-pe", "properties": map[string]any{
		"privateLinkServiceId": azure.Vaults.Premium.ID, "groupIds": []string{"vault"},
	}}
	box.put(endpoint, map[string]any{"location": azure.Location, "properties": map[string]any{
		"subnet": map[string]any{"id": azure.SubnetID}, "privateLinkServiceConnections": []any{connection},
	}})
	zone := map[string]any{"name": "vault", "properties": map[string]any{"privateDnsZoneId": azure.ZoneID}}
	box.put(endpoint+"/privateDnsZoneGroups/sdk", map[string]any{"properties": map[string]any{"privateDnsZoneConfigs": []any{zone}}})
	closed := map[string]any{"properties": map[string]any{"publicNetworkAccess": "Disabled"}}
	status, seen := box.manage(http.MethodPatch, azure.Vaults.Premium.ID+keyVault, closed)
	box.check("the vault is closed to the public", status == http.StatusOK, status, seen)
}

// put creates a resource of the network and reads it until it is there.
func (box *Box) put(id string, body any) {
	status, seen := box.manage(http.MethodPut, id+network, body)
	box.check("PUT "+id, status < 300, status, seen)
	for range mostPolls {
		status, seen = box.manage(http.MethodGet, id+network, nil)
		properties, _ := seen["properties"].(map[string]any)
		if status == http.StatusOK && properties["provisioningState"] == "Succeeded" {
			return
		}
	}
	box.must(id, fmt.Errorf("not there after %d reads: %d %v", mostPolls, status, seen))
}

// kek expects the key-encryption key, as Resource Manager shows it.
func (box *Box) kek() {
	status, seen := box.manage(http.MethodGet, box.Seed.Azure.Vaults.Premium.ID+"/keys/EKMF-BYOK-KEK-FOR-IMPORT"+keyVault, nil)
	properties, _ := seen["properties"].(map[string]any)
	good := status == http.StatusOK && properties["kty"] == "RSA-HSM" && fmt.Sprint(properties["keyOps"]) == "[import]"
	box.check("UKO made the key-encryption key", good, status, seen)
}

// manage calls Resource Manager as the operator's service principal.
func (box *Box) manage(method, path string, body any) (int, map[string]any) {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		box.must("body", err)
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, arm+path, payload)
	box.must(path, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+box.armToken())
	answer, err := http.DefaultClient.Do(request)
	box.must(path, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	box.must(path, err)
	var seen map[string]any
	if len(text) > 0 {
		box.must(path, json.Unmarshal(text, &seen))
	}
	return answer.StatusCode, seen
}

func (box *Box) armToken() string {
	if box.token != "" {
		return box.token
	}
	operator := box.Seed.Azure.Operator
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {operator.ClientID}, "client_secret": {operator.ClientSecret},
		"scope": {arm + "/.default"},
	}
	answer, err := http.PostForm("https://login.microsoftonline.com/"+box.Seed.Azure.TenantID+"/oauth2/v2.0/token", form)
	box.must("Entra token", err)
	defer answer.Body.Close()
	var seen struct {
		AccessToken string `json:"access_token"`
	}
	box.must("Entra token", json.NewDecoder(answer.Body).Decode(&seen))
	box.token = seen.AccessToken
	return box.token
}
