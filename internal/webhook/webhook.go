// Package webhook reads what the hosts of git repositories send when somebody
// pushes. It says who a request claims to be from, whether it bears the secret,
// and which of the refs that it tells of matters, in little memory, however
// large the body.
package webhook

import (
	"errors"
	"net/http"
)

// Source is the system that a request comes from.
type Source string

// The systems that are known.
const (
	GitHub    Source = "github"
	GitLab    Source = "gitlab"
	Gitea     Source = "gitea"
	Forgejo   Source = "forgejo"
	Bitbucket Source = "bitbucket" // the cloud's and the Data Center's
)

// Event is what a request tells of.
type Event int

// The events.
const (
	Other Event = iota // nothing that is of interest
	Ping               // a try of whoever set the webhook up
	Push
)

// What is wrong with a request.
var (
	ErrSender    = errors.New("no headers of GitHub, GitLab, Gitea, Forgejo or Bitbucket")
	ErrID        = errors.New("the id of the delivery must have at most 200 characters, all visible")
	ErrUnsigned  = errors.New("no signature with SHA-256, and no token: set the secret of the webhook")
	ErrForged    = errors.New("there is no such site, or the signature or the token is not that of its secret")
	ErrMalformed = errors.New("the body is not that of a push")
)

// Request is what the headers of a request say. None of it is authentic.
type Request struct {
	Source Source
	Event  Event
	ID     string // of the delivery; empty where there is none

	token     string // where the secret itself is sent
	signature string // hex, of the body
	layout    layout
}

// maxID bounds the id of a delivery, which is kept.
const maxID = 200

// Identify reads the headers of a request. Its errors are ErrSender, ErrID and
// ErrUnsigned.
func Identify(h http.Header) (*Request, error) {
	// Gitea sends the headers of GitHub too, and Forgejo those of both.
	for _, s := range []sender{forgejo, gitea, gitlab, bitbucket, github} {
		if event := one(h, s.event); event != "" {
			return s.request(h, event)
		}
	}
	return nil, ErrSender
}

// sender says how the requests of one system look.
type sender struct {
	source     Source
	event      string            // the header that names the event
	pushes     map[string]layout // the events that are pushes
	ping       string            // the event that is a try
	ids        []string          // the headers that name the delivery, the best first
	token      string            // the header with the secret
	signatures []string          // the headers with a signature; the first one that is there decides
}

var (
	github = sender{source: GitHub, event: "X-GitHub-Event", pushes: map[string]layout{"push": oneRef}, ping: "ping",
		ids: []string{"X-GitHub-Delivery"}, signatures: []string{"X-Hub-Signature-256"}}
	gitea = sender{source: Gitea, event: "X-Gitea-Event", pushes: map[string]layout{"push": oneRef},
		ids: []string{"X-Gitea-Delivery"}, signatures: []string{"X-Gitea-Signature", "X-Hub-Signature-256"}}
	forgejo = sender{source: Forgejo, event: "X-Forgejo-Event", pushes: map[string]layout{"push": oneRef},
		ids:        []string{"X-Forgejo-Delivery", "X-Gitea-Delivery"},
		signatures: []string{"X-Forgejo-Signature", "X-Gitea-Signature", "X-Hub-Signature-256"}}
	gitlab = sender{source: GitLab, event: "X-Gitlab-Event", pushes: map[string]layout{"Push Hook": oneRef},
		ids: []string{"Idempotency-Key", "X-Gitlab-Event-UUID"}, token: "X-Gitlab-Token"}
	bitbucket = sender{source: Bitbucket, event: "X-Event-Key", ping: "diagnostics:ping",
		pushes: map[string]layout{"repo:push": cloudChanges, "repo:refs_changed": serverChanges},
		ids:    []string{"X-Request-UUID", "X-Request-Id"}, signatures: []string{"X-Hub-Signature"}}
)

func (s sender) request(h http.Header, event string) (*Request, error) {
	r := &Request{Source: s.source, layout: s.pushes[event]}
	switch {
	case r.layout != nil:
		r.Event = Push
	case event == s.ping:
		r.Event = Ping
	}
	for _, name := range s.ids {
		if id := one(h, name); id != "" {
			if len(id) > maxID || !visible(id) {
				return nil, ErrID
			}
			r.ID = id
			break
		}
	}
	if s.token != "" {
		r.token = one(h, s.token)
	}
	for _, name := range s.signatures {
		if value := one(h, name); value != "" {
			r.signature = value
			break
		}
	}
	if r.token == "" && !r.signed() {
		return nil, ErrUnsigned
	}
	return r, nil
}

// one is the value of a header that is there once.
func one(h http.Header, name string) string {
	if values := h.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
