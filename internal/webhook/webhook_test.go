package webhook_test

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/webhook"
	"github.com/seed-797f2c2c/forge/secret"
)

const main = "refs/heads/main"

func secrets(values ...string) (all []secret.Secret) {
	for _, v := range values {
		all = append(all, secret.New(v))
	}
	return all
}

// read reads a request that is signed as it should be.
func (s system) read(body, ref string) (*webhook.Body, error) {
	r, err := webhook.Identify(s.headers(theSecret, body))
	if err != nil {
		return nil, err
	}
	return r.Read(strings.NewReader(body), ref, secrets(theSecret))
}

func TestEachSystem(t *testing.T) {
	t.Parallel()
	for name, s := range systems {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := webhook.Identify(s.headers(theSecret, s.body))
			require.NoError(t, err)
			require.Equal(t, []any{s.source, webhook.Push, "d1"}, []any{r.Source, r.Event, r.ID})
			b, err := r.Read(strings.NewReader(s.body), main, secrets("older", theSecret))
			require.NoError(t, err)
			require.Equal(t, webhook.Change{Ref: main, Commit: head}, b.Change)
			require.Len(t, b.Digest, 64)

			for _, forged := range []string{"", "other", theSecret + "x", theSecret[:5]} {
				r, err := webhook.Identify(s.headers(forged, s.body))
				if forged == "" && s.source == webhook.GitLab {
					require.ErrorIs(t, err, webhook.ErrUnsigned)
					continue
				}
				require.NoError(t, err)
				for _, good := range [][]secret.Secret{secrets(theSecret), secrets(theSecret, "older"), nil} {
					_, err = r.Read(strings.NewReader(s.body), main, good)
					require.ErrorIs(t, err, webhook.ErrForged)
				}
			}
			r, err = webhook.Identify(s.headers(theSecret, s.body+" "))
			require.NoError(t, err)
			_, err = r.Read(strings.NewReader(s.body), main, secrets(theSecret))
			if s.source == webhook.GitLab {
				require.NoError(t, err, "it signs nothing")
			} else {
				require.ErrorIs(t, err, webhook.ErrForged)
			}
			_, err = s.read(s.body[:len(s.body)-1], main)
			require.ErrorIs(t, err, webhook.ErrMalformed)
		})
	}
}

// A signature that is there decides, whatever another one says.
func TestNoOtherSignatureHelps(t *testing.T) {
	t.Parallel()
	good := sign(theSecret, giteaPush)
	for _, h := range []http.Header{
		headers("X-Forgejo-Event", "push", "X-Forgejo-Signature", sign("other", giteaPush), "X-Gitea-Signature", good),
		headers("X-Gitea-Event", "push", "X-Gitea-Signature", sign("other", giteaPush), "X-Hub-Signature-256", "sha256="+good),
	} {
		r, err := webhook.Identify(h)
		require.NoError(t, err)
		_, err = r.Read(strings.NewReader(giteaPush), main, secrets(theSecret))
		require.ErrorIs(t, err, webhook.ErrForged)
	}
	r, err := webhook.Identify(headers("X-Gitea-Event", "push", "X-Hub-Signature-256", "sha256="+good))
	require.NoError(t, err)
	_, err = r.Read(strings.NewReader(giteaPush), main, secrets(theSecret))
	require.NoError(t, err)
}

func TestRefusedByTheHeaders(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("x"))
	old, good := hex.EncodeToString(sum[:]), sign(theSecret, githubPush)
	for name, c := range map[string]struct {
		h   http.Header
		err error
	}{
		"nothing":            {headers(), webhook.ErrSender},
		"another system":     {headers("X-Gogs-Event", "push", "X-Gogs-Signature", good), webhook.ErrSender},
		"two events":         {headers("X-GitHub-Event", "push", "X-GitHub-Event", "ping", "X-Hub-Signature-256", "sha256="+good), webhook.ErrSender},
		"an endless id":      {headers("X-GitHub-Event", "push", "X-GitHub-Delivery", strings.Repeat("a", 300), "X-Hub-Signature-256", "sha256="+good), webhook.ErrID},
		"an id with a space": {headers("X-GitHub-Event", "push", "X-GitHub-Delivery", "a b", "X-Hub-Signature-256", "sha256="+good), webhook.ErrID},
		"no signature":       {headers("X-GitHub-Event", "push"), webhook.ErrUnsigned},
		"an empty one":       {headers("X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="), webhook.ErrUnsigned},
		"two":                {headers("X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+good, "X-Hub-Signature-256", "sha256="+good), webhook.ErrUnsigned},
		"no hex":             {headers("X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+strings.Repeat("g", 64)), webhook.ErrUnsigned},
		"half of one":        {headers("X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+good[:32]), webhook.ErrUnsigned},
		"SHA-1 alone":        {headers("X-GitHub-Event", "push", "X-Hub-Signature", "sha1="+old), webhook.ErrUnsigned},
		"SHA-1":              {headers("X-Event-Key", "repo:push", "X-Hub-Signature", "sha1="+old), webhook.ErrUnsigned},
		"SHA-1 in disguise":  {headers("X-Event-Key", "repo:push", "X-Hub-Signature", "sha256="+old), webhook.ErrUnsigned},
		"no token":           {headers("X-Gitlab-Event", "Push Hook", "X-Hub-Signature-256", "sha256="+good), webhook.ErrUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.Identify(c.h)
			require.ErrorIs(t, err, c.err)
		})
	}
}

func TestWhatIsNoPush(t *testing.T) {
	t.Parallel()
	body := "whatever {"
	hub := []string{"X-Hub-Signature-256", "sha256=" + sign(theSecret, body), "X-Hub-Signature", "sha256=" + sign(theSecret, body),
		"X-Gitlab-Token", theSecret}
	for name, event := range map[string]webhook.Event{
		"X-GitHub-Event: ping": webhook.Ping, "X-GitHub-Event: pull_request": webhook.Other, "X-GitHub-Event: create": webhook.Other,
		"X-Gitea-Event: delete": webhook.Other, "X-Event-Key: diagnostics:ping": webhook.Ping, "X-Event-Key: pr:opened": webhook.Other,
		"X-Gitlab-Event: Tag Push Hook": webhook.Other, "X-Gitlab-Event: Merge Request Hook": webhook.Other,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			field, value, _ := strings.Cut(name, ": ")
			r, err := webhook.Identify(headers(append(hub, field, value)...))
			require.NoError(t, err)
			require.Equal(t, event, r.Event)
			b, err := r.Read(strings.NewReader(body), main, secrets(theSecret))
			require.NoError(t, err, "its body is not looked at")
			require.Equal(t, webhook.Change{}, b.Change)
			_, err = r.Read(strings.NewReader(body), main, secrets("other"))
			require.ErrorIs(t, err, webhook.ErrForged)
		})
	}
}

// A digest is that of the body, under whatever id it comes; where the body is
// not signed, the id tells two pushes apart that look alike.
func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(s system, idHeader, id string) string {
		h := s.headers(theSecret, s.body)
		h.Set(idHeader, id)
		r, err := webhook.Identify(h)
		require.NoError(t, err)
		b, err := r.Read(strings.NewReader(s.body), main, secrets(theSecret))
		require.NoError(t, err)
		return b.Digest
	}
	github, gitlab := systems["github"], systems["gitlab"]
	require.Equal(t, digest(github, "X-GitHub-Delivery", "a"), digest(github, "X-GitHub-Delivery", "b"))
	require.Equal(t, digest(gitlab, "Idempotency-Key", "a"), digest(gitlab, "Idempotency-Key", "a"))
	require.NotEqual(t, digest(gitlab, "Idempotency-Key", "a"), digest(gitlab, "Idempotency-Key", "b"))
}

// failing is a body that breaks off.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		err = f.err
	}
	return n, err
}

func TestBodyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := systems["github"]
	for n := range len(s.body) {
		r, err := webhook.Identify(s.headers(theSecret, s.body))
		require.NoError(t, err)
		_, err = r.Read(failing{strings.NewReader(s.body[:n]), io.ErrClosedPipe}, main, secrets(theSecret))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	}
}
