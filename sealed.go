package forge

import "github.com/seed-797f2c2c/forge/secret"

// What the records keep sealed, all of it, and the place that each value is sealed
// for. Masking, CheckSealer and Reseal go by these lists; a test holds them against
// the fields of the records.

// sealedAt is where a record keeps a sealed value, which may be empty, and the
// place that it is sealed for.
type sealedAt struct {
	value *secret.Sealed
	place string
}

func (s *Server) sealed() []sealedAt {
	return []sealedAt{
		{&s.ControlKey, controlKeyPlace(s.ID)}, {&s.NextControlKey, controlKeyPlace(s.ID)}, {&s.InjectedHostKey, hostKeyPlace(s.ID)}, {&s.UserData, userDataPlace(s.ID)},
		{&s.DatabasePassword, databasePlace(s.ID)}, {&s.RedisPassword, redisPlace(s.ID)},
	}
}

func (s *Site) sealed() []sealedAt {
	return append(s.sealedHooks(), sealedAt{&s.RepositoryToken, repositoryTokenPlace(s.ID)},
		sealedAt{&s.Environment, environmentPlace(s.ID)}, sealedAt{&s.EnvironmentNext, environmentPlace(s.ID)})
}

// sealedHooks are also the secrets of hooks that are good no more.
func (s *Site) sealedHooks() []sealedAt {
	webhook, deployURL := hookPlace(s.ID, Webhook), hookPlace(s.ID, DeployURL)
	return []sealedAt{
		{&s.Webhook.Current, webhook}, {&s.Webhook.Previous, webhook},
		{&s.DeployURL.Current, deployURL}, {&s.DeployURL.Previous, deployURL},
	}
}

func (a *Action) sealed() []sealedAt {
	input := repositoryTokenPlace(a.Subject.ID) // of update_site
	if a.Kind == KindSetEnvironment {
		input = environmentPlace(a.Subject.ID)
	}
	return []sealedAt{{&a.Secrets, actionSecretsPlace(a.ID)}, {&a.Input.Sealed, input}}
}

// sealedRecord is a record that keeps sealed values.
type sealedRecord struct {
	id     string
	values []sealedAt
	held   bool // a worker has the values in hand, and may write them elsewhere
	store  func(Tx) error
}

// sealedTable is a table of such records.
type sealedTable struct {
	list func(Tx, Page) ([]*sealedRecord, error)
	get  func(tx Tx, id string) (*sealedRecord, error)
}

// sealedTables are those of an owner, or of all. What has no secrets any more is
// left out: servers that are deleted, and actions that have ended.
func sealedTables(owner string) []sealedTable {
	there := []ServerStatus{ServerPending, ServerCreating, ServerProvisioning, ServerActive, ServerError, ServerArchived, ServerDeleting}
	return []sealedTable{
		tableOf(Tx.Servers, ServerFilter{Owner: owner, Status: there}, func(s *Server) sealedRecord {
			return sealedRecord{id: s.ID, values: s.sealed()}
		}),
		tableOf(Tx.Sites, SiteFilter{Owner: owner}, func(s *Site) sealedRecord {
			return sealedRecord{id: s.ID, values: s.sealed()}
		}),
		tableOf(Tx.Actions, ActionFilter{Owner: owner, Open: true}, func(a *Action) sealedRecord {
			return sealedRecord{id: a.ID, values: a.sealed(), held: a.Holder != ""}
		}),
	}
}

func tableOf[T, F any](table func(Tx) Table[T, F], filter F, describe func(*T) sealedRecord) sealedTable {
	record := func(of *T) *sealedRecord {
		r := describe(of)
		r.store = func(tx Tx) error { return table(tx).Update(of) }
		return &r
	}
	return sealedTable{
		list: func(tx Tx, page Page) ([]*sealedRecord, error) {
			found, err := table(tx).List(filter, page)
			records := make([]*sealedRecord, len(found))
			for i, of := range found {
				records[i] = record(of)
			}
			return records, err
		},
		get: func(tx Tx, id string) (*sealedRecord, error) {
			of, err := table(tx).Get(id)
			if err != nil {
				return nil, err
			}
			return record(of), nil
		},
	}
}
