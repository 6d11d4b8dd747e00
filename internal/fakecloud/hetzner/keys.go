package hetzner

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
	"golang.org/x/crypto/ssh"
)

// Keys returns the SSH keys of the project.
func (a *API) Keys() []schema.SSHKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]schema.SSHKey, len(a.keys))
	for i, key := range a.keys {
		all[i] = *key
	}
	return all
}

// AddKey makes an SSH key as another user of the project would, and returns its id.
func (a *API) AddKey(name, public string) (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.makeKey(schema.SSHKeyCreateRequest{Name: name, PublicKey: public})
	made, ok := got.body.(schema.SSHKeyCreateResponse)
	if !ok {
		return 0, fmt.Errorf("add key: %v", got.body)
	}
	return made.SSHKey.ID, nil
}

func (a *API) createKey(r *http.Request) answer {
	var ask schema.SSHKeyCreateRequest
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		return problem(http.StatusBadRequest, "json_error", err.Error())
	}
	return a.makeKey(ask)
}

func (a *API) makeKey(ask schema.SSHKeyCreateRequest) answer {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(ask.PublicKey))
	if err != nil {
		return invalid("public_key", "is not a public key")
	}
	if ask.Name == "" {
		return invalid("name", "is too short")
	}
	key := &schema.SSHKey{Name: ask.Name, Fingerprint: ssh.FingerprintLegacyMD5(public), PublicKey: ask.PublicKey, Created: time.Now().UTC()}
	key.Labels = map[string]string{}
	if ask.Labels != nil {
		if !validLabels(*ask.Labels) {
			return invalid("labels", "are not valid")
		}
		key.Labels = *ask.Labels
	}
	for _, other := range a.keys {
		if other.Name == key.Name || other.Fingerprint == key.Fingerprint {
			return unique("SSH key with the same name or fingerprint already exists")
		}
	}
	key.ID = a.nextID()
	a.keys = append(a.keys, key)
	return answer{http.StatusCreated, schema.SSHKeyCreateResponse{SSHKey: *key}}
}

func (a *API) listKeys(r *http.Request) answer {
	query := r.URL.Query()
	some := slices.DeleteFunc(slices.Clone(a.keys), func(k *schema.SSHKey) bool {
		return query.Has("name") && k.Name != query.Get("name") ||
			query.Has("fingerprint") && k.Fingerprint != query.Get("fingerprint") ||
			!selects(query.Get("label_selector"), k.Labels)
	})
	return page(r, "ssh_keys", some)
}

func (a *API) deleteKey(r *http.Request) answer {
	i := slices.IndexFunc(a.keys, func(k *schema.SSHKey) bool { return strconv.FormatInt(k.ID, 10) == r.PathValue("id") })
	if i < 0 {
		return notFound
	}
	a.keys = slices.Delete(a.keys, i, i+1)
	return answer{status: http.StatusNoContent}
}
