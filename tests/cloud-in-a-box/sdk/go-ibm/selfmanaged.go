package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/IBM/go-sdk-core/v5/core"
	"github.com/IBM/ibm-hpcs-uko-sdk/ukov4"
)

// selfManaged asks the customer's own UKO for its vaults: by OIDC, by client certificate, and as a stranger. Its CA is
// not the clouds' CA, so the SDK gets an HTTP client that knows it.
func (box *Box) selfManaged() {
	own := box.Seed.Ibm.Uko.SelfManaged
	fmt.Printf("at %s\n", own.URL)
	client := box.ownClient(nil)
	form := url.Values{
		"grant_type": {"password"}, "client_id": {own.Oidc.ClientID}, "client_secret": {own.Oidc.ClientSecret},
		"username": {own.Oidc.Username}, "password": {own.Oidc.Password}, "scope": {"openid profile email"},
	}
	answer, err := client.PostForm(own.URL+"/oidc/endpoint/"+own.Oidc.Provider+"/token", form)
	box.must("OIDC token", err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	box.must("OIDC answer", err)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	box.must("OIDC answer", json.Unmarshal(text, &token))
	box.ownVaults("by OIDC", &core.BearerTokenAuthenticator{BearerToken: token.AccessToken}, client, nil, true)

	pair, err := tls.X509KeyPair([]byte(own.ClientCertPem), []byte(own.ClientKeyPem))
	box.must("client certificate", err)
	mutual := http.Header{"Ekmf-Mtls": {"true"}}
	box.ownVaults("by certificate", &core.NoAuthAuthenticator{}, box.ownClient(&pair), mutual, true)
	box.ownVaults("without a certificate", &core.NoAuthAuthenticator{}, client, mutual, false)
	forged := http.Header{"Ekmf-Mtls": {"true"}, "X-Box-Client-Cert": {"box-uko-operator"}}
	box.ownVaults("with a forged certificate header", &core.NoAuthAuthenticator{}, client, forged, false)
}

func (box *Box) ownClient(pair *tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	box.check("the server's CA is PEM", roots.AppendCertsFromPEM([]byte(box.Seed.Ibm.Uko.SelfManaged.CaPem)))
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if pair != nil {
		config.Certificates = []tls.Certificate{*pair}
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config}}
}

func (box *Box) ownVaults(how string, as core.Authenticator, client *http.Client, headers http.Header, welcome bool) {
	own := box.Seed.Ibm.Uko.SelfManaged
	service, err := ukov4.NewUkoV4(&ukov4.UkoV4Options{URL: own.URL, Authenticator: as})
	box.must("UKO client", err)
	service.Service.SetHTTPClient(client)
	service.SetDefaultHeaders(headers)
	found, response, err := service.ListVaults(service.NewListVaultsOptions())
	if !welcome {
		box.refused(how, response, err, 401)
		return
	}
	box.must(how, err)
	box.check(how, len(found.Vaults) == 1 && *found.Vaults[0].ID == own.Vault.ID, len(found.Vaults))
}
