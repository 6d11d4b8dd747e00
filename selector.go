package forge

import (
	"maps"
	"slices"
)

// Selector says on which servers something is done, by one of Servers, Labels and
// All, and for whom. What is selected by labels, or as all, are the owner's servers
// as they are at the call; those that are deleted are not among them.
type Selector struct {
	Servers []string          // by their ids
	Labels  map[string]string // those that have all of these
	All     bool              // every one
	// User is the unix user. By default, a key is given to "forge", and is taken
	// from every user who has it.
	User string
}

// named reports whether the servers were asked for one by one, so that each has
// to be fit for it.
func (s Selector) named() bool { return len(s.Servers) > 0 }

func (s Selector) check() error {
	ways := 0
	for _, given := range []bool{len(s.Servers) > 0, len(s.Labels) > 0, s.All} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return invalid("servers", "must name at least one server, or be left out for labels or for all")
	case ways > 1:
		return invalid("servers", "must be selected by one of ids, labels and all")
	}
	var v values
	v.labels(maps.Clone(s.Labels))
	v.optional("user", s.User, func(_, name string) (string, error) { return loginUser(name) })
	return v.err
}

// user is the unix user, by default that of the sites that share one.
func (s Selector) user() string {
	if s.User == "" {
		return "forge"
	}
	return s.User
}

// servers are those that are selected of an owner's, or of all owners', in the order
// of their ids.
func (s Selector) servers(tx Tx, f *Forge, owner string) ([]*Server, error) {
	var found []*Server
	for _, id := range slices.Compact(slices.Sorted(slices.Values(s.Servers))) {
		srv, err := f.server(tx, id)
		if err != nil {
			return nil, err
		}
		found = append(found, srv)
	}
	if s.named() {
		return found, nil
	}
	there := ServerFilter{Owner: owner, Labels: s.Labels, Status: []ServerStatus{
		ServerPending, ServerCreating, ServerProvisioning, ServerActive, ServerError, ServerArchived, ServerDeleting,
	}}
	for srv, err := range all(func(page Page) ([]*Server, error) { return tx.Servers().List(there, page) },
		func(srv *Server) string { return srv.ID }) {
		if err != nil {
			return nil, err
		}
		found = append(found, srv)
	}
	return found, nil
}

// subjects are the records that the selector names, after those given.
func (s Selector) subjects(first ...Subject) []Subject {
	for _, id := range s.Servers {
		first = append(first, Subject{SubjectServer, id})
	}
	return first
}
