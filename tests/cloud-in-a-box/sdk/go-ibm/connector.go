package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/IBM/go-sdk-core/v5/core"
)

// connector asks for what no SDK covers: the connector by GraphQL, and the connector's own Link routes.
func (box *Box) connector() {
	id := box.Seed.Ibm.Connector.ID
	query := `query($id: ID!) { node(id: $id) { ... on SatelliteConnector { id name state } } }`
	body := map[string]any{"query": query, "variables": map[string]any{"id": id}}
	seen := box.ask(http.MethodPost, "https://containers.cloud.ibm.com/graphql", body)
	data, _ := seen["data"].(map[string]any)
	node, _ := data["node"].(map[string]any)
	box.check("GraphQL knows the connector", node["id"] == id && node["state"] == "CREATED", seen)

	for _, host := range []string{"api.link", "api." + box.Seed.Ibm.Region + ".link"} {
		url := "https://" + host + ".satellite.cloud.ibm.com/v1/connectors/" + id + "/endpoints"
		name := "walk-" + fmt.Sprint(len(host))
		draft := map[string]any{
			"conn_type": "location", "display_name": name, "server_host": "a.example.com", "server_port": 443,
			"client_protocol": "tcp", "server_protocol": "tcp",
		}
		made := box.ask(http.MethodPost, url, draft)
		box.check("an endpoint of the connector at "+host, made["display_name"] == name && made["location_id"] == id, made)
		gone := box.ask(http.MethodDelete, url+"/"+fmt.Sprint(made["endpoint_id"]), nil)
		box.check("it goes again", gone["message"] == "Success", gone)
	}
	broker := box.ask(http.MethodGet, box.Seed.Ibm.Uko.BrokerURL+"/crypto_v2/instances/"+box.Seed.Ibm.Uko.InstanceID, nil)
	hosts, _ := broker["uko"].(map[string]any)
	box.check("the broker names UKO's host", "https://"+fmt.Sprint(hosts["public"]) == box.Seed.Ibm.Uko.URL, broker)
}

// ask sends a JSON request with the SDKs' token.
func (box *Box) ask(method, url string, body any) map[string]any {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		box.must("body", err)
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, url, payload)
	box.must(url, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Auth-Resource-Account", box.Seed.Ibm.AccountID)
	box.must("token", (&core.IamAuthenticator{ApiKey: box.Seed.Ibm.APIKey}).Authenticate(request))
	answer, err := http.DefaultClient.Do(request)
	box.must(url, err)
	defer answer.Body.Close()
	var seen map[string]any
	box.must(url, json.NewDecoder(answer.Body).Decode(&seen))
	return seen
}
