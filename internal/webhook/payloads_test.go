package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

const (
	theSecret = "the site's secret"
	head      = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"
	before    = "28e1879d029cb852e4844d9c718537df08844e03"
	zeros     = "0000000000000000000000000000000000000000"
)

// The bodies are those of each system, but for what nobody reads.
const (
	githubPush = `{
  "ref": "refs/heads/main", "before": "` + before + `", "after": "` + head + `",
  "repository": {"id": 1, "full_name": "acme/shop", "default_branch": "main", "pushed_at": 1700000000, "ref": "refs/heads/not-this"},
  "pusher": {"name": "ada", "email": null}, "created": false, "deleted": false, "forced": true, "base_ref": null,
  "compare": "https://github.com/acme/shop/compare/28e1879d029c...59b20b8d5c6f",
  "commits": [{"id": "` + head + `", "distinct": true, "message": "Say \"hello\"\n\n<script>alert('$(id)')</script> \u2028 \\ {\"ref\":\"refs/heads/evil\"}",
    "timestamp": "2026-11-24T10:00:00+01:00", "author": {"name": "Ada", "email": "ada@example.org"}, "added": [], "modified": ["a.php"]}],
  "head_commit": {"id": "` + before + `", "message": "` + "`touch /tmp/x`" + `"}
}`
	giteaPush = `{"ref": "refs/heads/main", "before": "` + before + `", "after": "` + head + `", "compare_url": "https://git.example.org/x",
  "commits": [{"id": "` + head + `", "message": "Webhooks\n", "verification": null}], "total_commits": 1,
  "repository": {"id": 140, "name": "webhooks", "private": true}, "pusher": {"login": "ada"}}`
	gitlabPush = `{"object_kind": "push", "event_name": "push", "before": "` + before + `", "after": "` + head + `",
  "ref": "refs/heads/main", "ref_protected": true, "checkout_sha": "` + head + `", "message": null, "user_id": 4,
  "project": {"id": 15, "default_branch": "main"}, "commits": [{"id": "` + head + `", "title": "t"}], "total_commits_count": 4}`
	cloudPush = `{"actor": {"type": "user"}, "repository": {"full_name": "acme/shop"}, "push": {"changes": [
  {"old": null, "new": {"type": "tag", "name": "v1", "target": {"type": "commit", "hash": "` + before + `"}}, "created": true, "closed": false},
  {"old": {"type": "branch", "name": "main", "target": {"hash": "` + before + `"}},
   "new": {"name": "main", "type": "branch", "target": {"hash": "` + head + `", "message": "m", "parents": [{"hash": "` + before + `"}]}, "links": {}},
   "commits": [{"hash": "` + head + `"}], "truncated": false, "forced": false}]}}`
	serverPush = `{"eventKey": "repo:refs_changed", "date": "2026-11-24T10:00:00+1000", "actor": {"name": "admin"}, "repository": {"id": 84},
  "changes": [{"ref": {"id": "refs/heads/next", "displayId": "next", "type": "BRANCH"}, "refId": "refs/heads/next", "fromHash": "` + zeros + `",
    "toHash": "` + before + `", "type": "ADD"},
   {"ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"}, "refId": "refs/heads/main", "fromHash": "` + before + `",
    "toHash": "` + head + `", "type": "UPDATE"}], "commits": [], "toCommit": {"id": "` + head + `"}}`
)

// sign is the signature of a body.
func sign(secret, body string) string {
	mac := signer(secret)
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func signer(secret string) hash.Hash { return hmac.New(sha256.New, []byte(secret)) }

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// system is how one system sends a push.
type system struct {
	source  webhook.Source
	body    string
	headers func(secret, body string) http.Header
}

var systems = map[string]system{
	"github": {webhook.GitHub, githubPush, func(secret, body string) http.Header {
		return headers("X-GitHub-Event", "push", "X-GitHub-Delivery", "d1", "X-Hub-Signature", "sha1=00",
			"X-Hub-Signature-256", "sha256="+sign(secret, body))
	}},
	"gitea": {webhook.Gitea, giteaPush, func(secret, body string) http.Header {
		return headers("X-Gitea-Event", "push", "X-Gitea-Delivery", "d1", "X-GitHub-Event", "push", "X-GitHub-Delivery", "d1",
			"X-Gogs-Event", "push", "X-Gitea-Signature", sign(secret, body))
	}},
	"forgejo": {webhook.Forgejo, giteaPush, func(secret, body string) http.Header {
		return headers("X-Forgejo-Event", "push", "X-Forgejo-Delivery", "d1", "X-Gitea-Event", "push", "X-GitHub-Event", "push",
			"X-Forgejo-Signature", sign(secret, body), "X-Gitea-Signature", sign(secret, body), "X-Hub-Signature-256", "sha256="+sign(secret, body))
	}},
	"gitlab": {webhook.GitLab, gitlabPush, func(secret, _ string) http.Header {
		return headers("X-Gitlab-Event", "Push Hook", "X-Gitlab-Event-UUID", "e1", "Idempotency-Key", "d1", "X-Gitlab-Token", secret)
	}},
	"bitbucket cloud": {webhook.Bitbucket, cloudPush, func(secret, body string) http.Header {
		return headers("X-Event-Key", "repo:push", "X-Request-UUID", "d1", "X-Hook-UUID", "h1", "X-Attempt-Number", "1",
			"X-Hub-Signature", "sha256="+sign(secret, body))
	}},
	"bitbucket data center": {webhook.Bitbucket, serverPush, func(secret, body string) http.Header {
		return headers("X-Event-Key", "repo:refs_changed", "X-Request-Id", "d1", "X-Hub-Signature", "sha256="+sign(secret, body))
	}},
}
