package forge

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/secret"
)

// sealServer makes the server's secrets.
func (c *core) sealServer(ctx context.Context, srv *Server, injectHostKey bool) error {
	public, private, err := newKeypair("forge " + srv.ID)
	if err != nil {
		return err
	}
	srv.PublicKey = public
	if srv.ControlKey, err = c.Sealer.Seal(ctx, private, controlKeyPlace(srv.ID)); err != nil {
		return err
	}
	if injectHostKey {
		hostPublic, hostPrivate, err := newKeypair("host key of " + srv.Name)
		if err != nil {
			return err
		}
		srv.HostKeys = []string{hostPublic}
		if srv.InjectedHostKey, err = c.Sealer.Seal(ctx, hostPrivate, hostKeyPlace(srv.ID)); err != nil {
			return err
		}
	}
	if data := srv.Options.UserData; data != "" {
		srv.Options.UserData = ""
		if srv.UserData, err = c.Sealer.Seal(ctx, secret.New(data), userDataPlace(srv.ID)); err != nil {
			return err
		}
	}
	if srv.Stack.Database != NoDatabase {
		srv.DatabasePassword, err = c.Sealer.Seal(ctx, secret.New(rand.Text()), databasePlace(srv.ID))
		if err != nil {
			return err
		}
	}
	if srv.Stack.Redis {
		srv.RedisPassword, err = c.Sealer.Seal(ctx, secret.New(rand.Text()), redisPlace(srv.ID))
	}
	return err
}

// Where the secrets of a server are sealed for.
func controlKeyPlace(id string) string { return "servers/" + id + "/control_key" }
func hostKeyPlace(id string) string    { return "servers/" + id + "/host_key" }
func userDataPlace(id string) string   { return "servers/" + id + "/user_data" }
func databasePlace(id string) string   { return "servers/" + id + "/database_password" }
func redisPlace(id string) string      { return "servers/" + id + "/redis_password" }

// unseal opens a secret of a server. One that there is not is empty.
func (c *core) unseal(ctx context.Context, srv *Server, what string, sealed secret.Sealed, place string) (value secret.Secret, err error) {
	if len(sealed) == 0 {
		return value, nil
	}
	if value, err = c.Sealer.Open(ctx, sealed, place); err != nil {
		return value, fmt.Errorf("open the %s of server %s: %w", what, srv.ID, err)
	}
	return value, nil
}

// password is one of the passwords that the stack's script reads from files.
type password struct {
	file   string
	sealed secret.Sealed
	place  string
}

func (s *Server) passwords() (all []password) {
	if len(s.DatabasePassword) > 0 {
		all = append(all, password{stack.PasswordFile, s.DatabasePassword, databasePlace(s.ID)})
	}
	if len(s.RedisPassword) > 0 {
		all = append(all, password{stack.RedisPasswordFile, s.RedisPassword, redisPlace(s.ID)})
	}
	return all
}

// Credentials are the secrets of a server that people use.
type Credentials struct {
	DatabaseUser     string // empty where there is no database
	DatabasePassword secret.Secret
	RedisPassword    secret.Secret // empty where there is no Redis
}

// Credentials returns the credentials of a server. Those of one that is deleted
// are gone.
func (s *Servers) Credentials(ctx context.Context, id string) (*Credentials, error) {
	f, err := s.f.ask(ctx, "Servers.Credentials", Subject{SubjectServer, id})
	if err != nil {
		return nil, err
	}
	srv, err := f.Servers.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if srv.Status == ServerDeleted {
		return nil, badState("the server is %s, and its credentials are gone", srv.Status)
	}
	if err := srv.hasStack("database"); err != nil {
		return nil, err
	}
	creds := &Credentials{}
	for _, p := range srv.passwords() {
		value, err := s.f.core.unseal(ctx, srv, p.file, p.sealed, p.place)
		if err != nil {
			return nil, err
		}
		switch p.file {
		case stack.PasswordFile:
			creds.DatabaseUser, creds.DatabasePassword = "forge", value
		case stack.RedisPasswordFile:
			creds.RedisPassword = value
		}
	}
	return creds, nil
}

// PinHostKey makes a server known by another host key, one line in
// authorized_keys format: after a HostKeyError, when the key was changed on
// purpose. Its connections are closed.
func (s *Servers) PinHostKey(ctx context.Context, id, hostKey string) error {
	if _, err := s.f.ask(ctx, "Servers.PinHostKey", Subject{SubjectServer, id}); err != nil {
		return err
	}
	key, err := validate.PublicKey("host_key", hostKey)
	if err != nil {
		return asInvalid(err)
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		srv.HostKeys, srv.Updated = []string{key.Line}, t.Now()
		return t.Servers().Update(srv)
	})
	if err == nil {
		s.f.core.pool.Forget(id)
	}
	return err
}
