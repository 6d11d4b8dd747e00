package secret_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-797f2c2c/forge/secret"
)

func ExampleSecret() {
	type config struct{ Token secret.Secret }
	c := config{Token: secret.New("hunter2")}

	fmt.Printf("%+v\n", c)
	fmt.Println(c.Token.Reveal())
	// Output:
	// {Token:[secret]}
	// hunter2
}

func ExampleNewEphemeral() {
	ctx := context.Background()
	sealer := secret.NewEphemeral()
	sealed, err := sealer.Seal(ctx, secret.New("hunter2"), "servers/1/password")
	if err != nil {
		panic(err)
	}
	opened, _ := sealer.Open(ctx, sealed, "servers/1/password")
	fmt.Println(opened.Reveal())

	_, err = sealer.Open(ctx, sealed, "servers/2/password")
	fmt.Println(errors.Is(err, secret.ErrNotAuthentic))
	// Output:
	// hunter2
	// true
}
