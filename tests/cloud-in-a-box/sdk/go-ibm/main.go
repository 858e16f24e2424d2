// Command go-ibm drives the cloud in a box with IBM's own Go SDKs, unchanged: the only settings are HTTPS_PROXY and
// SSL_CERT_FILE, which the box writes to DIR/env. It exits with 1 when an answer is not what the SDK should see.
//
// Usage: go-ibm DIR
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/IBM/go-sdk-core/v5/core"
)

// Seed is what this program reads of the box's seed.json.
type Seed struct {
	Azure struct {
		TenantID       string `json:"tenantId"`
		SubscriptionID string `json:"subscriptionId"`
		ResourceGroup  string `json:"resourceGroup"`
		SubnetID       string `json:"subnetId"`
		VnetID         string `json:"vnetId"`
		ZoneName       string `json:"privateDnsZoneName"`
		ZoneID         string `json:"privateDnsZoneId"`
		Location       string `json:"location"`
		Principal      struct {
			ClientID     string `json:"clientId"`
			ClientSecret string `json:"clientSecret"`
		} `json:"servicePrincipal"`
		Vaults struct {
			Premium struct {
				Name string `json:"name"`
				ID   string `json:"id"`
			} `json:"premium"`
		} `json:"vaults"`
	} `json:"azure"`
	Ibm struct {
		AccountID  string `json:"accountId"`
		APIKey     string `json:"apiKey"`
		ProfileID  string `json:"trustedProfileId"`
		LocationID string `json:"locationId"`
		Region     string `json:"region"`
		Connector  struct {
			ID string `json:"id"`
		} `json:"connector"`
		Uko struct {
			InstanceID string `json:"instanceId"`
			URL        string `json:"url"`
			LegacyURL  string `json:"legacyUrl"`
			BrokerURL  string `json:"brokerUrl"`
			Vault      struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"vault"`
			SelfManaged struct {
				URL  string `json:"url"`
				Oidc struct {
					Provider     string `json:"provider"`
					ClientID     string `json:"clientId"`
					ClientSecret string `json:"clientSecret"`
					Username     string `json:"username"`
					Password     string `json:"password"`
				} `json:"oidc"`
				Vault struct {
					ID string `json:"id"`
				} `json:"vault"`
				CaPem         string `json:"caPem"`
				ClientCertPem string `json:"clientCertPem"`
				ClientKeyPem  string `json:"clientKeyPem"`
			} `json:"selfManaged"`
		} `json:"uko"`
	} `json:"ibm"`
}

// Box is the running box.
type Box struct {
	Seed    Seed
	control string
	failed  int
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go-ibm DIR")
		os.Exit(2)
	}
	box, err := open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	box.state(map[string]any{"azure": box.privatePath()})
	box.iam()
	box.connector()
	address := box.link()
	box.uko(box.Seed.Ibm.Uko.URL, address)
	box.uko(box.Seed.Ibm.Uko.LegacyURL, address)
	box.selfManaged()
	if box.failed > 0 {
		fmt.Printf("%d mismatches\n", box.failed)
		os.Exit(1)
	}
	fmt.Println("IBM's SDKs see what they should")
}

func open(dir string) (*Box, error) {
	text, err := os.ReadFile(filepath.Join(dir, "seed.json"))
	if err != nil {
		return nil, err
	}
	control, err := os.ReadFile(filepath.Join(dir, "control"))
	if err != nil {
		return nil, err
	}
	box := &Box{control: string(bytes.TrimSpace(control))}
	return box, json.Unmarshal(text, &box.Seed)
}

// state merges a patch into the box's world.
func (box *Box) state(patch any) {
	text, err := json.Marshal(patch)
	box.must("patch", err)
	answer, err := http.Post(box.control+"/state", "application/json", bytes.NewReader(text))
	box.must("POST /state", err)
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		box.must("POST /state", fmt.Errorf("%d %s", answer.StatusCode, body))
	}
}

// privatePath is an approved private endpoint of the premium vault, with its DNS record, as ARM would leave it.
func (box *Box) privatePath() map[string]any {
	azure := box.Seed.Azure
	network := "/subscriptions/" + azure.SubscriptionID + "/resourceGroups/rg-network/providers/Microsoft.Network"
	endpoint, nic := network+"/privateEndpoints/sdk-pe", network+"/networkInterfaces/sdk-pe-nic"
	lower := func(id string) string { return string(bytes.ToLower([]byte(id))) }
	return map[string]any{
		"privateEndpoints": map[string]any{lower(endpoint): map[string]any{
			"id": endpoint, "location": azure.Location, "subnet": azure.SubnetID, "networkInterface": nic,
			"provisioningState": "Succeeded",
			"connection": map[string]any{
				"name": "sdk-pe", "privateLinkServiceId": azure.Vaults.Premium.ID, "groupIds": []string{"vault"},
				"vaultConnection": "sdk-pe", "lastStatus": "Approved",
			},
		}},
		"networkInterfaces": map[string]any{lower(nic): map[string]any{
			"id": nic, "privateEndpoint": endpoint, "subnet": azure.SubnetID, "privateIpAddress": "10.0.0.4",
		}},
		"vaults": map[string]any{azure.Vaults.Premium.Name: map[string]any{
			"publicNetworkAccess": "Disabled",
			"connections": map[string]any{"sdk-pe": map[string]any{
				"privateEndpoint": endpoint, "status": "Approved", "provisioningState": "Succeeded",
			}},
		}},
		"privateDnsZones": map[string]any{lower(azure.ZoneID): map[string]any{
			"aRecords": map[string]any{azure.Vaults.Premium.Name: map[string]any{"ttl": 10, "addresses": []string{"10.0.0.4"}}},
		}},
	}
}

// authenticator is the SDKs' own, with the seed's API key.
func (box *Box) authenticator() core.Authenticator {
	return &core.IamAuthenticator{ApiKey: box.Seed.Ibm.APIKey}
}

// must ends the program: nothing after it would mean anything.
func (box *Box) must(what string, err error) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", what, err)
		os.Exit(1)
	}
}

// check counts a mismatch.
func (box *Box) check(what string, ok bool, seen ...any) {
	if ok {
		fmt.Printf("ok     %s\n", what)
		return
	}
	box.failed++
	fmt.Printf("WRONG  %s: %v\n", what, seen)
}

// refused expects an error whose answer has this status.
func (box *Box) refused(what string, response *core.DetailedResponse, err error, status int) {
	switch {
	case err == nil:
		box.check(what, false, "no error")
	case response == nil:
		box.check(what, false, err)
	default:
		box.check(what, response.StatusCode == status, response.StatusCode, err)
	}
}
