package tink_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// A program makes its keyset when it first starts. To be given to forge.Config as
// its Sealer.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "keyset.json")

	keys, err := tink.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		if keys, err = tink.New(); err == nil {
			err = keys.Save(file)
		}
	}
	if err != nil {
		panic(err)
	}
	sealed, err := keys.Seal(context.Background(), secret.New("hunter2"), "servers/1/password")
	if err != nil {
		panic(err)
	}
	opened, err := keys.Open(context.Background(), sealed, "servers/1/password")
	fmt.Println(opened.Reveal(), err)
	// Output: hunter2 <nil>
}

// A new key seals, and what the one before sealed opens still. See
// forge.Forge.Reseal for when that one can be disabled.
func ExampleKeyset_Rotate() {
	before, err := tink.New()
	if err != nil {
		panic(err)
	}
	keys, err := before.Rotate() // and Save
	if err != nil {
		panic(err)
	}
	for _, key := range keys.Info() {
		fmt.Println("primary:", key.Primary)
	}
	ctx := context.Background()
	sealed, _ := before.Seal(ctx, secret.New("hunter2"), "servers/1/password")
	opened, err := keys.Open(ctx, sealed, "servers/1/password")
	fmt.Println(opened.Reveal(), err)

	keys, err = keys.Disable(before.Keys()[0]) // and Save
	if err != nil {
		panic(err)
	}
	_, err = keys.Open(ctx, sealed, "servers/1/password")
	fmt.Println(errors.Is(err, secret.ErrNotAuthentic))
	// Output:
	// primary: false
	// primary: true
	// hunter2 <nil>
	// true
}

// A keyset from an environment variable.
func ExampleFromEnv() {
	made, err := tink.New()
	if err != nil {
		panic(err)
	}
	_ = os.Setenv("EXAMPLE_KEYSET", made.Text().Reveal()) // what a vault or a deployment does
	defer func() { _ = os.Unsetenv("EXAMPLE_KEYSET") }()

	keys, err := tink.FromEnv("EXAMPLE_KEYSET")
	fmt.Println(len(keys.Keys()), err)
	_, err = tink.FromEnv("EXAMPLE_OTHER")
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// keyset in environment variable EXAMPLE_OTHER: it is empty
}

// A keyset that a KMS sealed: the file alone is of use to nobody.
func ExampleOpenSealed() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "keyset.json")

	// Here a key of Tink's; elsewhere the AEAD of one of Tink's KMS integrations.
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		panic(err)
	}
	kms, err := aead.New(handle)
	if err != nil {
		panic(err)
	}
	made, err := tink.New()
	if err != nil {
		panic(err)
	}
	if err := made.SaveSealed(file, kms, "production"); err != nil {
		panic(err)
	}
	keys, err := tink.OpenSealed(file, kms, "production")
	fmt.Println(len(keys.Keys()), err)
	_, err = tink.OpenSealed(file, kms, "staging")
	fmt.Println(err != nil)
	// Output:
	// 1 <nil>
	// true
}
