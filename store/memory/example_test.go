package memory_test

import (
	"context"
	"fmt"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/memory"
)

func ExampleNew() {
	ctx := context.Background()
	store := memory.New(memory.Config{})
	err := store.Update(ctx, func(tx forge.Tx) error {
		tx.Emit(forge.Event{Type: forge.EventStatus, To: string(forge.ServerPending)})
		return tx.Servers().Insert(&forge.Server{ID: "1", Name: "web-1"})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = store.View(ctx, func(tx forge.Tx) error {
		server, err := tx.Servers().Get("1")
		if err != nil {
			return err
		}
		fmt.Println(server.Name)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: web-1
}
