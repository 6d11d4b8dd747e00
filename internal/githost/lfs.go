package githost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
)

// Large stores a large file, and returns the pointer that stands for it in a
// commit.
func (s *Server) Large(content string) (pointer string) {
	sum := sha256.Sum256([]byte(content))
	oid := hex.EncodeToString(sum[:])
	s.set(func() { s.objects[oid] = content })
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, len(content))
}

type lfsObject struct {
	OID     string               `json:"oid"`
	Size    int64                `json:"size"`
	Actions map[string]lfsAction `json:"actions,omitempty"`
}

type lfsAction struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header,omitempty"`
}

// batch says where large files are.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	var msg struct {
		Transfer string      `json:"transfer"`
		Objects  []lfsObject `json:"objects"`
	}
	if err := json.NewDecoder(r.Body).Decode(&msg); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	msg.Transfer = "basic"
	for i := range msg.Objects {
		o := &msg.Objects[i]
		o.Actions = map[string]lfsAction{"download": {Href: s.URL + "/objects/" + o.OID}}
		if login := r.Header.Get("Authorization"); login != "" {
			o.Actions["download"] = lfsAction{o.Actions["download"].Href, map[string]string{"Authorization": login}}
		}
	}
	w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
	_ = json.NewEncoder(w).Encode(msg)
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	content, ok := s.objects[path.Base(r.URL.Path)]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(w, content)
}
