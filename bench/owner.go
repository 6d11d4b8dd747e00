package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// owner is the role of a process whose Forge has its store in memory, and the
// hosts of a fleet as servers.
const owner = "owner"

// fleetSettings are those of an owner.
type fleetSettings struct {
	Hosts       []string // addresses
	Servers     int      // of which some share a host if they are more than those
	KnownHosts  string   // file with the hosts' keys
	KeyFile     string   // which opens root
	IdleTimeout time.Duration
}

// owned is a Forge with its servers.
type owned struct {
	*forge.Forge
	servers    []string // their ids
	without    int      // goroutines before there was a server
	goroutines int      // at rest
}

// own plays the role.
func own(ctx context.Context, in *json.Decoder, out *json.Encoder, log *slog.Logger) error {
	var s fleetSettings
	if err := in.Decode(&s); err != nil {
		return err
	}
	o, err := s.open(log)
	if err != nil {
		return errors.Join(err, out.Encode(answer{Error: err.Error()}))
	}
	working, stop := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- o.Run(working) }()
	if err = o.adopt(ctx, s); err != nil {
		err = errors.Join(err, out.Encode(answer{Error: err.Error()}))
	} else {
		err = obey(in, out, func(order fleetOrder) (float64, error) { return o.do(ctx, order) })
	}
	stop()
	return errors.Join(err, <-worked, o.Close())
}

func (s fleetSettings) open(log *slog.Logger) (*owned, error) {
	known, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		return nil, err
	}
	keys := map[string][]ssh.PublicKey{}
	for len(known) > 0 {
		_, hosts, key, _, rest, err := ssh.ParseKnownHosts(known)
		if err != nil {
			return nil, err
		}
		keys[hosts[0]], known = []ssh.PublicKey{key}, rest
	}
	signer, err := readKey(s.KeyFile)
	if err != nil {
		return nil, err
	}
	f, err := forge.New(forge.Config{
		Store: memory.New(memory.Config{}), Sealer: secret.NewEphemeral(), Logger: log,
		Pools: queue.Pools{"provision": 50},
		SSH:   sshexec.PoolConfig{IdleTimeout: s.IdleTimeout},
		Providers: map[string]provider.Provider{"static": static.New(static.Config{
			Signers:  []ssh.Signer{signer},
			HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) { return keys[address], nil },
		})},
	})
	return &owned{Forge: f}, err
}

// adopt makes servers of the hosts.
func (o *owned) adopt(ctx context.Context, s fleetSettings) error {
	o.without = settled()
	var actions []string
	for i := range s.Servers {
		srv, action, err := o.Servers.Create(ctx, forge.ServerOpts{
			Name: fmt.Sprintf("bench-%d", i), Provider: "static", Address: s.Hosts[i%len(s.Hosts)], Bare: true,
		})
		if err != nil {
			return err
		}
		o.servers, actions = append(o.servers, srv.ID), append(actions, action.ID)
	}
	for _, id := range actions {
		if _, err := o.Actions.Wait(ctx, id); err != nil {
			return fmt.Errorf("make a server: %w", err)
		}
	}
	return nil
}
