package cloud_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestCatalogIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		c := &cloud.Catalog{Read: func(ctx context.Context) (*provider.Catalog, error) {
			reads++
			return &provider.Catalog{Regions: []provider.Region{{Name: "fra1"}}}, cloud.Sleep(ctx, time.Second)
		}}
		begin := time.Now()
		get := func() {
			got, err := c.Get(t.Context())
			if err != nil || len(got.Regions) != 1 || time.Since(got.AsOf) > time.Minute {
				t.Error(got, err)
			}
		}
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * 2 * time.Millisecond)
				get()
			})
		}
		wg.Wait()
		require.Equal(t, 1, reads)
		time.Sleep(time.Until(begin.Add(10*time.Minute - time.Nanosecond)))
		got, err := c.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, begin, got.AsOf, "when the vendor was asked, not when it answered")
		require.Equal(t, 1, reads)
		time.Sleep(time.Nanosecond)
		get()
		require.Equal(t, 2, reads)
	})
}

func TestCatalogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("it is down")
		c := &cloud.Catalog{Age: time.Hour, Read: func(ctx context.Context) (*provider.Catalog, error) {
			return nil, errors.Join(cloud.Sleep(ctx, time.Second), broken)
		}}
		_, err := c.Get(t.Context())
		require.ErrorIs(t, err, broken)

		c.Read = func(ctx context.Context) (*provider.Catalog, error) {
			return &provider.Catalog{}, cloud.Sleep(ctx, time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		second := make(chan error)
		go func() {
			_, err := c.Get(ctx)
			second <- err
		}()
		synctest.Wait()
		_, err = c.Get(t.Context())
		require.NoError(t, err, "it does not end with the one who began it")
		require.ErrorIs(t, <-second, context.DeadlineExceeded)
		_, err = c.Get(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		never := &cloud.Catalog{Read: func(ctx context.Context) (*provider.Catalog, error) { return nil, cloud.Sleep(ctx, time.Hour) }}
		_, err = never.Get(t.Context())
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's deadline is not over")
	})
}
