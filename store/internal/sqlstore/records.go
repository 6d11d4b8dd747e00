package sqlstore

import (
	"encoding/json"
	"time"

	"github.com/seed-797f2c2c/forge"
)

func (d *Dialect) time(t *time.Time) stamp { return stamp{t, d.Micros} }

func (d *Dialect) server(s *forge.Server) []field {
	return []field{
		{"id", &s.ID}, {"owner", &s.Owner}, {"name", &s.Name}, {"labels", document{&s.Labels}},
		{"idempotency_key", &s.IdempotencyKey},
		{"provider", &s.Provider}, {"region", &s.Region}, {"size", &s.Size}, {"image", &s.Image}, {"bare", &s.Bare},
		{"provider_id", &s.ProviderID}, {"options", document{&s.Options}}, {"user_data", (*[]byte)(&s.UserData)},
		{"address", &s.Address}, {"port", &s.Port}, {"login_user", &s.User},
		{"ipv4", &s.IPv4}, {"ipv6", &s.IPv6}, {"private_address", &s.Private},
		{"status", &s.Status}, {"failure", &s.Failure}, {"stack", document{&s.Stack}},
		{"public_key", &s.PublicKey}, {"control_key", (*[]byte)(&s.ControlKey)}, {"host_keys", document{&s.HostKeys}},
		{"control_key_made", d.time(&s.ControlKeyMade)}, {"next_public_key", &s.NextPublicKey},
		{"next_control_key", (*[]byte)(&s.NextControlKey)}, {"old_public_key", &s.OldPublicKey},
		{"injected_host_key", (*[]byte)(&s.InjectedHostKey)}, {"database_password", (*[]byte)(&s.DatabasePassword)},
		{"redis_password", (*[]byte)(&s.RedisPassword)},
		{"created", d.time(&s.Created)}, {"updated", d.time(&s.Updated)}, {"provisioned", d.time(&s.Provisioned)},
	}
}

func (d *Dialect) site(s *forge.Site) []field {
	return []field{
		{"id", &s.ID}, {"owner", &s.Owner}, {"server", &s.Server}, {"labels", document{&s.Labels}},
		{"idempotency_key", &s.IdempotencyKey},
		{"kind", &s.Kind}, {"domain", &s.Domain}, {"aliases", document{&s.Aliases}}, {"web_directory", &s.WebDirectory},
		{"php_version", &s.PHPVersion}, {"upstream", &s.Upstream}, {"unix_user", &s.User}, {"directory", &s.Directory},
		{"repository", &s.Repository}, {"repository_user", &s.RepositoryUser},
		{"repository_token", (*[]byte)(&s.RepositoryToken)}, {"branch", &s.Branch},
		{"deploy_key", &s.DeployKey}, {"known_hosts", &s.KnownHosts}, {"deploy_script", &s.DeployScript},
		{"deploy_timeout", (*int64)(&s.DeployTimeout)},
		{"environment", (*[]byte)(&s.Environment)}, {"environment_next", (*[]byte)(&s.EnvironmentNext)},
		{"webhook", (*[]byte)(&s.Webhook.Current)}, {"webhook_previous", (*[]byte)(&s.Webhook.Previous)},
		{"webhook_previous_until", d.time(&s.Webhook.PreviousUntil)},
		{"deploy_url", (*[]byte)(&s.DeployURL.Current)}, {"deploy_url_previous", (*[]byte)(&s.DeployURL.Previous)},
		{"deploy_url_previous_until", d.time(&s.DeployURL.PreviousUntil)},
		{"status", &s.Status}, {"failure", &s.Failure},
		{"deployment_started", d.time(&s.DeploymentStarted)}, {"deployment_finished", d.time(&s.DeploymentFinished)},
		{"created", d.time(&s.Created)}, {"updated", d.time(&s.Updated)},
	}
}

func (d *Dialect) key(k *forge.Key) []field {
	return []field{
		{"id", &k.ID}, {"owner", &k.Owner}, {"name", &k.Name}, {"labels", document{&k.Labels}},
		{"idempotency_key", &k.IdempotencyKey},
		{"type", &k.Type}, {"public", &k.Public}, {"comment", &k.Comment}, {"fingerprint", &k.Fingerprint},
		{"created", d.time(&k.Created)},
	}
}

func (d *Dialect) grant(g *forge.Grant) []field {
	return []field{
		{"id", &g.ID}, {"owner", &g.Owner}, {"key", &g.Key}, {"server", &g.Server}, {"unix_user", &g.User},
		{"public", &g.Public}, {"wanted", &g.Wanted}, {"end_sessions", &g.EndSessions}, {"action", &g.Action}, {"status", &g.Status}, {"failure", &g.Failure},
		{"created", d.time(&g.Created)}, {"synced", d.time(&g.Synced)}, {"revoked", d.time(&g.Revoked)},
	}
}

func (d *Dialect) deployment(r *forge.Deployment) []field {
	return []field{
		{"id", &r.ID}, {"owner", &r.Owner}, {"site", &r.Site}, {"server", &r.Server}, {"action", &r.Action},
		{"branch", &r.Branch}, {"commit", &r.Commit}, {"status", &r.Status}, {"failure", &r.Failure},
		{"commit_hash", &r.CommitHash}, {"commit_message", &r.CommitMessage}, {"commit_author", &r.CommitAuthor},
		{"created", d.time(&r.Created)}, {"started", d.time(&r.Started)}, {"finished", d.time(&r.Finished)},
	}
}

func (d *Dialect) delivery(r *forge.Delivery) []field {
	return []field{
		{"id", &r.ID}, {"owner", &r.Owner}, {"site", &r.Site}, {"source", &r.Source}, {"key", &r.Key},
		{"digest", &r.Digest}, {"branch", &r.Branch}, {"commit", &r.Commit},
		{"result", &r.Result}, {"reason", &r.Reason}, {"deployment", &r.Deployment}, {"created", d.time(&r.Created)},
	}
}

func (d *Dialect) lock(l *forge.Lock) []field {
	return []field{{"id", &l.Key}, {"holder", &l.Holder}, {"fence", &l.Fence}, {"left_run", &l.Left}}
}

func (d *Dialect) action(a *forge.Action) []field {
	return append([]field{
		{"id", &a.ID}, {"owner", &a.Owner}, {"actor", &a.Actor}, {"kind", &a.Kind}, {"version", &a.Version},
		{"subject_kind", &a.Subject.Kind}, {"subject", &a.Subject.ID}, {"server", &a.Server}, {"parent", &a.Parent},
		{"input", document{(*input)(&a.Input)}}, {"input_sealed", (*[]byte)(&a.Input.Sealed)},
		{"idempotency_key", &a.IdempotencyKey},
		{"status", &a.Status}, {"failure", document{&a.Failure}}, {"attempt", &a.Attempt}, {"stage", &a.Stage},
		{"epoch", &a.Epoch}, {"holder", &a.Holder}, {"lease", d.time(&a.Lease)}, {"run_at", d.time(&a.RunAt)},
		{"waits", &a.Waits}, {"waiting", &a.Waiting}, {"handouts", &a.Handouts}, {"tries", &a.Tries},
		{"locks", document{&a.Locks}}, {"timeout", (*int64)(&a.Timeout)}, {"deadline", d.time(&a.Deadline)},
		{"step", &a.Step}, {"steps", &a.Steps}, {"step_name", &a.StepName},
		{"secrets", (*[]byte)(&a.Secrets)}, {"log_removed", d.time(&a.LogRemoved)},
		{"children", &a.Children}, {"children_open", &a.ChildrenOpen}, {"children_failed", &a.ChildrenFailed},
		{"created", d.time(&a.Created)}, {"started", d.time(&a.Started)}, {"finished", d.time(&a.Finished)},
	}, cursor(&a.Cursor)...)
}

func cursor(c *forge.Cursor) []field {
	return []field{
		{"cursor_run", &c.Run}, {"cursor_offset", &c.Offset}, {"cursor_line", &c.Line}, {"cursor_bytes", &c.Bytes},
	}
}

// input is what is kept of an action's input as JSON: all but what is sealed,
// which hides itself from JSON and has a column of its own.
type input forge.Input

// MarshalJSON leaves out what is sealed.
func (in input) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		forge.Input
		Sealed *struct{} `json:",omitempty"` // in the place of the one above
	}{Input: forge.Input(in)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (in *input) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*forge.Input)(in)) }

func (d *Dialect) event(e *forge.Event) []field {
	return []field{
		{"seq", &e.Seq}, {"time", d.time(&e.Time)}, {"owner", &e.Owner}, {"type", &e.Type},
		{"subject_kind", &e.Subject.Kind}, {"subject", &e.Subject.ID}, {"action", &e.Action}, {"server", &e.Server},
		{"came_from", &e.From}, {"went_to", &e.To}, {"step", &e.Step}, {"steps", &e.Steps}, {"name", &e.Name},
		{"next_line", &e.NextLine},
	}
}
