package forge

import (
	"context"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Upload writes files on a server, each of them whole or not at all, as
// sshexec.Client.Upload does: many of them in one session. Each file needs a
// User: as in ExecOpts, root only by name.
func (s *Servers) Upload(ctx context.Context, id string, files ...sshexec.UploadSpec) error {
	if _, err := s.f.ask(ctx, "Servers.Upload", Subject{SubjectServer, id}); err != nil {
		return err
	}
	var v values
	users := map[string]bool{}
	for _, file := range files {
		users[v.text(loginUser(file.User))] = true
	}
	if v.err != nil {
		return v.err
	}
	var srv *Server
	err := s.f.core.Store.View(ctx, func(tx Tx) (err error) {
		if srv, err = s.f.activeServer(tx, id); err != nil {
			return err
		}
		for user := range users {
			if err := srv.knows(tx, user); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.f.core.client(srv).Upload(ctx, files...)
}
