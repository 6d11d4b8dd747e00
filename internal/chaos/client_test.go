package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/seed-797f2c2c/forge/provider"
)

// client is the cloud as a worker sees it.
type client struct {
	http *http.Client
	far  *http.Transport
}

var (
	_ provider.Provider = (*client)(nil)
	_ provider.Dialer   = (*client)(nil)
)

func newClient(socket string) *client {
	far := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	return &client{http: &http.Client{Transport: far}, far: far}
}

func (c *client) close() error {
	c.far.CloseIdleConnections()
	return nil
}

// ask makes a call. What is not answered may have been done.
func (c *client) ask(ctx context.Context, what string, argument, result any) error {
	body, err := json.Marshal(argument)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cloud/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	defer func() { _ = res.Body.Close() }()
	var a reply
	switch err := json.NewDecoder(res.Body).Decode(&a); {
	case err != nil:
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	case a.Class > 0:
		return fmt.Errorf("%w: %s", classes[a.Class-1], a.Error)
	case a.Error != "":
		return errors.New(a.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(a.Result, result)
}

// call is ask with the patience of a worker.
func (c *client) call(ctx context.Context, what string, argument, result any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.ask(ctx, what, argument, result)
}

func (c *client) machine(ctx context.Context, what string, argument any) (*provider.Machine, error) {
	var m provider.Machine
	if err := c.call(ctx, what, argument, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// pass waits at the gate of a worker.
func (c *client) pass(ctx context.Context, worker string) error {
	return c.ask(ctx, "pass", worker, nil)
}

// Validate implements provider.Provider.
func (c *client) Validate(context.Context) error { return nil }

// Create implements provider.Provider.
func (c *client) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	return c.machine(ctx, "create", spec)
}

// Get implements provider.Provider.
func (c *client) Get(ctx context.Context, id string) (*provider.Machine, error) {
	return c.machine(ctx, "get", id)
}

// Delete implements provider.Provider.
func (c *client) Delete(ctx context.Context, id string) error { return c.call(ctx, "delete", id, nil) }

// Properties implements provider.Provider.
func (c *client) Properties() provider.Properties { return provider.Properties{} }

// DialMachine implements provider.Dialer.
func (c *client) DialMachine(ctx context.Context, address string, _ int) (net.Conn, error) {
	var at string
	if err := c.call(ctx, "dial", address, &at); err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, "tcp", at)
}
