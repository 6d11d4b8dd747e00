package forge_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// The handler is mounted under a prefix, and tells GitHub how it went.
func ExampleHooks_Handler() {
	f := newForge()
	mux := http.NewServeMux()
	mux.Handle("/hooks/", http.StripPrefix("/hooks", f.Hooks.Handler()))

	body := `{"ref":"refs/heads/main","after":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"}`
	mac := hmac.New(sha256.New, []byte("the secret of Hooks.Secret"))
	mac.Write([]byte(body))
	req := httptest.NewRequest(http.MethodPost, "/hooks/0190d3a1-7a50-7c3e-9d1e-3f5f3c0a9b11", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mac.Sum(nil)))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, req)
	fmt.Print(answer.Code, " ", answer.Body)
	// Output:
	// 401 {"result":"error","reason":"there is no such site, or the signature or the token is not that of its secret"}
}

// A new secret is entered at the git host while the old one is still good.
func ExampleHooks_Rotate() {
	ctx, f := context.Background(), newForge()
	secret, err := f.Hooks.Rotate(ctx, "the site's id", forge.Webhook, 24*time.Hour)
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	fmt.Println("enter this at the git host:", secret.Reveal())
	// Output:
	// true
}
