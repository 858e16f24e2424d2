package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
)

// iam asks for tokens with the SDKs' authenticators, good and bad.
func (box *Box) iam() {
	good := &core.IamAuthenticator{ApiKey: box.Seed.Ibm.APIKey}
	token, err := good.GetToken()
	box.must("IAM token by API key", err)
	box.check("the token names its account", account(token) == box.Seed.Ibm.AccountID, account(token))

	bad := &core.IamAuthenticator{ApiKey: "no-such-key"}
	_, err = bad.GetToken()
	var refusal *core.AuthenticationError
	known := errors.As(err, &refusal) && refusal.Response != nil
	box.check("a wrong API key is 400 BXNIM0415E", known && refusal.Response.StatusCode == 400 && code(refusal) == "BXNIM0415E", err)

	dir, err := os.MkdirTemp("", "cr-token")
	box.must("temporary folder", err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "token")
	box.must("token file", os.WriteFile(file, []byte(serviceAccountToken()), 0o600))
	profile := &core.ContainerAuthenticator{CRTokenFilename: file, IAMProfileID: box.Seed.Ibm.ProfileID}
	token, err = profile.GetToken()
	box.must("IAM token by trusted profile", err)
	box.check("the profile's token names its account", account(token) == box.Seed.Ibm.AccountID, account(token))
}

// serviceAccountToken looks like a projected token of a Kubernetes service account.
func serviceAccountToken() string {
	part := func(value any) string {
		text, _ := json.Marshal(value)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	claims := map[string]any{
		"aud": []string{"iam"}, "exp": time.Now().Add(time.Hour).Unix(), "sub": "system:serviceaccount:keys:uko",
	}
	return fmt.Sprintf("%s.%s.%s", part(map[string]any{"alg": "RS256"}), part(claims), "c2ln")
}

func account(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Account struct {
			Bss string `json:"bss"`
		} `json:"account"`
	}
	_ = json.Unmarshal(text, &claims)
	return claims.Account.Bss
}

func code(refusal *core.AuthenticationError) string {
	body, _ := refusal.Response.Result.(map[string]any)
	text, _ := body["errorCode"].(string)
	return text
}
