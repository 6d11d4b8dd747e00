package digitalocean

import (
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// Key is an entry of a public key in the account.
type Key struct {
	ID                           int
	Name, PublicKey, Fingerprint string
}

// Keys returns the entries of the account.
func (a *API) Keys() []Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]Key, len(a.keys))
	for i, k := range a.keys {
		all[i] = *k
	}
	return all
}

// AddKey makes an entry as another user of the account would.
func (a *API) AddKey(name, publicKey string) (Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.addKey(name, publicKey)
	if err != nil {
		return Key{}, err
	}
	return *k, nil
}

func (a *API) addKey(name, publicKey string) (*Key, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(publicKey))
	if err != nil {
		return nil, err
	}
	k := &Key{ID: a.nextID(), Name: name, PublicKey: publicKey, Fingerprint: ssh.FingerprintLegacyMD5(key)}
	a.keys = append(a.keys, k)
	return k, nil
}

func (a *API) nextID() int {
	a.lastID++
	return a.lastID
}

// findKey finds an entry by its id or its fingerprint.
func (a *API) findKey(name string) (*Key, bool) {
	return find(a.keys, func(k *Key) bool { return k.Fingerprint == name || strconv.Itoa(k.ID) == name })
}

func (a *API) listKeys(r *http.Request) answer { return page(r, "ssh_keys", a.keys, (*Key).show) }

func (a *API) createKey(r *http.Request) answer {
	var asked struct {
		Name      string `json:"name"`
		PublicKey string `json:"public_key"`
	}
	if err := decode(r, &asked); err != nil {
		return unprocessable(err.Error())
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(asked.PublicKey))
	if err != nil {
		return unprocessable("Key invalid, key should be of the format `ssh-ed25519 AAAA...`")
	}
	if asked.Name == "" {
		return unprocessable("Name can't be blank")
	}
	if _, ok := a.findKey(ssh.FingerprintLegacyMD5(key)); ok {
		return unprocessable("SSH Key is already in use on your account")
	}
	k, err := a.addKey(asked.Name, asked.PublicKey)
	if err != nil {
		return unprocessable(err.Error())
	}
	return answer{http.StatusCreated, object{"ssh_key": k.show()}}
}

func (a *API) getKey(r *http.Request) answer {
	k, ok := a.findKey(r.PathValue("id"))
	if !ok {
		return notFound
	}
	return answer{http.StatusOK, object{"ssh_key": k.show()}}
}

func (a *API) deleteKey(r *http.Request) answer {
	k, ok := a.findKey(r.PathValue("id"))
	if !ok {
		return notFound
	}
	a.keys = slices.DeleteFunc(a.keys, func(other *Key) bool { return other == k })
	return answer{status: http.StatusNoContent}
}

func (k *Key) show() object {
	return object{"id": k.ID, "name": k.Name, "public_key": k.PublicKey, "fingerprint": k.Fingerprint}
}
