// Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
// SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// Genuine tells whether one of the secrets signed the request. The body is exactly as it arrived; of an http.Request,
// header is r.Header.Get.
func Genuine(body []byte, header func(name string) string, secrets []string) bool {
	for _, secret := range secrets {
		page := hmac.New(sha512.New, []byte(secret))
		page.Write(body)
		expected := []byte(hex.EncodeToString(page.Sum(nil)))
		for _, name := range []string{"plexus-webhook-signature", "plexus-webhook-signature-alternate"} {
			if hmac.Equal([]byte(header(name)), expected) { // in constant time
				return true
			}
		}
		standard := hmac.New(sha256.New, standardKey(secret))
		fmt.Fprintf(standard, "%s.%s.", header("webhook-id"), header("webhook-timestamp"))
		standard.Write(body)
		expected = []byte("v1," + base64.StdEncoding.EncodeToString(standard.Sum(nil)))
		for _, entry := range strings.Split(header("webhook-signature"), " ") {
			if hmac.Equal([]byte(entry), expected) {
				return true
			}
		}
	}
	return false
}

// The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
func standardKey(secret string) []byte {
	if encoded, found := strings.CutPrefix(secret, "whsec_"); found {
		key, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err == nil && len(key) >= 24 && len(key) <= 64 {
			return key
		}
	}
	return []byte(secret)
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	header := func(name string) string {
		return os.Getenv("HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	var secrets []string
	for _, name := range []string{"SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET"} {
		if secret := os.Getenv(name); secret != "" { // with an empty secret anybody could sign
			secrets = append(secrets, secret)
		}
	}
	if !Genuine(body, header, secrets) {
		fmt.Println("forged")
		os.Exit(1)
	}
	fmt.Println("genuine")
}
