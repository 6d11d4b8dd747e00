package forge_test

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// listener is a Sealer that notes what it is given to open.
type listener struct {
	secret.Sealer
	mu     sync.Mutex
	opened []string
}

func (l *listener) Open(_ context.Context, sealed secret.Sealed, _ string) (secret.Secret, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = append(l.opened, string(sealed))
	return secret.Secret{}, nil
}

// TestEverySealedFieldIsInTheLists fills every secret.Sealed that there is in the
// records of any table. CheckSealer, which goes by the lists as Reseal does, comes
// upon each.
func TestEverySealedFieldIsInTheLists(t *testing.T) {
	t.Parallel()
	w := idle(t)
	heard := &listener{Sealer: w.sealer}
	w.sealer = heard
	w = w.join(w.store, w.queue)
	var filled []string
	w.put(func(tx forge.Tx) error {
		filled = nil
		tables := 0
		for i := range reflect.TypeFor[forge.Tx]().NumMethod() {
			name := reflect.TypeFor[forge.Tx]().Method(i).Name
			method := reflect.ValueOf(tx).MethodByName(name)
			if method.Type().NumIn() > 0 || method.Type().NumOut() != 1 || method.Type().Out(0).Kind() != reflect.Interface {
				continue
			}
			tables++
			table := method.Call(nil)[0]
			insert := table.MethodByName("Insert")
			record := reflect.New(insert.Type().In(0).Elem())
			fill(t, record.Elem(), name, &filled)
			switch r := record.Interface().(type) {
			case *forge.Server:
				r.Status = forge.ServerActive
			case *forge.Action:
				r.Status = forge.ActionPending
			}
			if id := record.Elem().FieldByName("ID"); id.IsValid() {
				id.SetString(newID())
			} else {
				record.Elem().FieldByName("Key").SetString(newID())
			}
			if err, failed := insert.Call([]reflect.Value{record})[0].Interface().(error); failed {
				return err
			}
		}
		require.Equal(t, 8, tables)
		return nil
	})
	require.Len(t, filled, 15, "%q", filled)
	require.NoError(t, w.CheckSealer(t.Context()))
	opened := slices.Compact(slices.Sorted(slices.Values(heard.opened)))
	slices.Sort(filled)
	require.Equal(t, filled, opened, "a secret.Sealed is missing in sealed.go")
}

// fill gives each secret.Sealed in a value its own name as its bytes.
func fill(t *testing.T, v reflect.Value, name string, filled *[]string) {
	switch {
	case v.Type() == reflect.TypeFor[secret.Sealed]():
		v.SetBytes([]byte(name))
		*filled = append(*filled, name)
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), name+"."+v.Type().Field(i).Name, filled)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), name, filled)
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array || v.Kind() == reflect.Map:
		before := len(*filled)
		fill(t, reflect.New(v.Type().Elem()).Elem(), name+"[]", filled)
		require.Len(t, *filled, before, "this test knows no lists of sealed values")
	}
}
