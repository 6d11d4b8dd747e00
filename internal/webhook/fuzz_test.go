package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

// What is read of a body is what encoding/json reads in it.
func FuzzOneRef(f *testing.F) {
	for _, body := range []string{githubPush, giteaPush, gitlabPush, `{"ref":"refs/heads/main","after":"` + head + `","x":[1e5,-0.1,{"ref":null}]}`} {
		f.Add(body)
	}
	fuzz(f, "github", func(v any) (all []webhook.Change) {
		deleted, _ := field(v, "deleted").(bool)
		return []webhook.Change{{Ref: str(field(v, "ref")), Commit: str(field(v, "after")), Deleted: deleted}}
	})
}

func FuzzCloudChanges(f *testing.F) {
	f.Add(cloudPush)
	f.Add(`{"push":{"changes":[{"new":null,"old":{"type":"branch","name":"main"}}]}}`)
	fuzz(f, "bitbucket cloud", func(v any) (all []webhook.Change) {
		for _, change := range list(field(v, "push", "changes")) {
			state, deleted := field(change, "new"), false
			if state == nil {
				state, deleted = field(change, "old"), true
			}
			c := webhook.Change{Commit: str(field(state, "target", "hash")), Deleted: deleted}
			switch {
			case state == nil:
			case field(state, "type") == "branch":
				c.Ref = "refs/heads/" + str(field(state, "name"))
			default:
				c.Ref = "refs/tags/" + str(field(state, "name"))
			}
			all = append(all, c)
		}
		return all
	})
}

func FuzzServerChanges(f *testing.F) {
	f.Add(serverPush)
	fuzz(f, "bitbucket data center", func(v any) (all []webhook.Change) {
		for _, change := range list(field(v, "changes")) {
			all = append(all, webhook.Change{Ref: str(field(change, "ref", "id")), Commit: str(field(change, "toHash")),
				Deleted: field(change, "type") == "DELETE"})
		}
		return all
	})
}

func fuzz(f *testing.F, system string, changes func(any) []webhook.Change) {
	f.Fuzz(func(t *testing.T, body string) {
		b, err := systems[system].read(body, main)
		if err != nil {
			require.ErrorIs(t, err, webhook.ErrMalformed)
			return
		}
		var v any
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		var want webhook.Change
		for _, c := range changes(v) {
			if want.Ref == "" || c.Ref == main {
				want = c
			}
		}
		if want.Deleted || want.Commit == zeros || want.Commit == zeros+zeros[:24] || want.Ref == "" {
			want.Commit, want.Deleted = "", want.Ref != ""
		}
		want.Commit = strings.ToLower(want.Commit)
		require.Equal(t, want, b.Change)
	})
}

// Whatever encoding/json reads, and has none of what is refused, is read.
func FuzzAnyValue(f *testing.F) {
	for _, value := range []string{`null`, `[]`, `{}`, `-0.0e+1`, `"\u00e9\ud83d\ude00\ud800"`, "\"\xff\"", `{"":{"a":[true,false]}}`, ` [ 1 , "x" ] `, `01`} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		_, err := systems["github"].read(`{"ref":"refs/heads/main","x":`+value+`,"after":"`+head+`"}`, main)
		if !json.Valid([]byte(value)) {
			// What is no value may close the object and open another.
			if err == nil {
				require.True(t, json.Valid([]byte(`{"x":`+value+`}`)))
			}
			return
		}
		if strings.Count(value, "[")+strings.Count(value, "{") < 99 {
			require.NoError(t, err)
		}
	})
}

func field(v any, path ...string) any {
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

func str(v any) string { s, _ := v.(string); return s }

func list(v any) []any { l, _ := v.([]any); return l }
