package cloud

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/seed-797f2c2c/forge/provider"
)

// Catalog keeps a catalogue for a while.
type Catalog struct {
	// Read asks the vendor.
	Read func(context.Context) (*provider.Catalog, error)
	// Age is how old the catalogue may be. Defaults to 10 minutes.
	Age time.Duration

	reading singleflight.Group

	mu   sync.Mutex
	last *provider.Catalog
}

// Get returns the catalogue. Those who ask for it while it is being read wait
// for that one answer.
func (c *Catalog) Get(ctx context.Context) (*provider.Catalog, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if last := c.fresh(); last != nil {
		return last, nil
	}
	// It serves all who wait, so it does not end with the one who began it.
	answer := c.reading.DoChan("", func() (any, error) { return c.read(context.WithoutCancel(ctx)) })
	select {
	case r := <-answer:
		last, _ := r.Val.(*provider.Catalog)
		return last, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Catalog) read(ctx context.Context) (*provider.Catalog, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if last := c.fresh(); last != nil {
		return last, nil // another was just before
	}
	began := time.Now()
	last, err := c.Read(ctx)
	if err != nil {
		return nil, timely(err, "no catalogue")
	}
	last.AsOf = began
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = last
	return last, nil
}

func (c *Catalog) fresh() *provider.Catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.Age
	if age == 0 {
		age = 10 * time.Minute
	}
	if c.last == nil || time.Since(c.last.AsOf) >= age {
		return nil
	}
	return c.last
}
