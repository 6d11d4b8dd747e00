package forge

import "context"

// Archive makes forge leave a server's machine and its sites alone: nothing is
// asked for on it any more, and no connection to it is kept. Its records stay,
// and it can be deleted. It is refused while anything is under way there.
func (s *Servers) Archive(ctx context.Context, id string) error {
	if _, err := s.f.ask(ctx, "Servers.Archive", Subject{SubjectServer, id}); err != nil {
		return err
	}
	err := s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		if srv.Status != ServerActive && srv.Status != ServerError {
			return badState("the server is %s; only one that is %s or %s is archived", srv.Status, ServerActive, ServerError)
		}
		if err := noneOpen(t, ActionFilter{Server: id}); err != nil {
			return err
		}
		return s.f.core.putServer(t, srv, ServerArchived, "")
	})
	if err == nil {
		s.f.core.pool.Forget(id)
	}
	return err
}

// Unarchive brings an archived server back to the state that it was archived in.
func (s *Servers) Unarchive(ctx context.Context, id string) error {
	if _, err := s.f.ask(ctx, "Servers.Unarchive", Subject{SubjectServer, id}); err != nil {
		return err
	}
	return s.f.core.update(ctx, func(t *txn) error {
		srv, err := s.f.server(t, id)
		if err != nil {
			return err
		}
		if srv.Status != ServerArchived {
			return badState("the server is %s; only one that is %s is unarchived", srv.Status, ServerArchived)
		}
		was := ServerActive
		if srv.Failure != "" { // a server has one in state error alone, and keeps it
			was = ServerError
		}
		return s.f.core.putServer(t, srv, was, "")
	})
}

// mustBe refuses what is asked for on a server in another state.
func (s *Server) mustBe(want ServerStatus) error {
	switch s.Status {
	case want:
		return nil
	case ServerArchived:
		return badState("the server is archived; unarchive it first")
	}
	return badState("the server is %s; it must be %s", s.Status, want)
}

// noneOpen refuses to go on while an action that the filter selects is under
// way.
func noneOpen(t *txn, filter ActionFilter) error {
	filter.Open = true
	open, err := firstAction(t, filter)
	if err == nil && open != nil {
		err = badState("%s is still %s", open.Kind, open.Status)
	}
	return err
}
