package webhook

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/seed-797f2c2c/forge/secret"
)

// Body is what an authentic request says.
type Body struct {
	// Digest is the SHA-256 in hex of what cannot be changed without the secret
	// being known: of the body. Where the secret itself is sent, that is nothing,
	// and the id of the delivery is part of it, so that two pushes which look
	// alike are two.
	Digest string
	Change // for a Push
}

// Read reads a body to its end. What it returns is authentic: the request bears
// one of the secrets, or the error is ErrForged. Other errors are ErrMalformed,
// which an authentic body alone is told, and those of the reader.
//
// A push may change many refs. Read returns the change of the ref named, or
// another one where that was not changed.
func (r *Request) Read(body io.Reader, ref string, secrets []secret.Secret) (*Body, error) {
	if r.token != "" && !r.bears(secrets) {
		return nil, ErrForged
	}
	digest := sha256.New()
	macs := make([]hash.Hash, 0, len(secrets))
	sums := []io.Writer{digest}
	if r.token != "" {
		digest.Write([]byte(r.ID))
	} else {
		for _, s := range secrets {
			mac := hmac.New(sha256.New, []byte(s.Reveal()))
			macs, sums = append(macs, mac), append(sums, mac)
		}
	}
	tee := io.TeeReader(body, io.MultiWriter(sums...))
	b := &Body{}
	var malformed error
	if r.layout != nil {
		b.Change, malformed = parse(tee, r.layout, ref)
		if malformed != nil && !errors.Is(malformed, ErrMalformed) {
			return nil, malformed
		}
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return nil, err
	}
	if r.token == "" && !r.signs(macs) {
		return nil, ErrForged
	}
	if malformed != nil {
		return nil, malformed
	}
	b.Digest = hex.EncodeToString(digest.Sum(nil))
	return b, nil
}

func parse(body io.Reader, read layout, ref string) (Change, error) {
	s := &scanner{r: bufio.NewReaderSize(body, 32<<10)}
	change, err := read(s, ref)
	if err == nil {
		err = s.end()
	}
	if err == nil {
		err = change.check()
	}
	if err != nil {
		return Change{}, err
	}
	return change, nil
}

// bears reports whether the token is one of the secrets. Each is compared, and
// in constant time, so that the time taken tells nothing of them.
func (r *Request) bears(secrets []secret.Secret) bool {
	found := 0
	for _, s := range secrets {
		found |= subtle.ConstantTimeCompare([]byte(r.token), []byte(s.Reveal()))
	}
	return found == 1
}

// signs reports whether the signature is that of one of the secrets.
func (r *Request) signs(macs []hash.Hash) bool {
	given, _ := r.sum()
	found := 0
	for _, mac := range macs {
		found |= subtle.ConstantTimeCompare(given, mac.Sum(nil))
	}
	return found == 1
}

// signed reports whether there is what may be a signature.
func (r *Request) signed() bool {
	_, ok := r.sum()
	return ok
}

// sum is the signature. One with SHA-1 is none.
func (r *Request) sum() ([]byte, bool) {
	given, err := hex.DecodeString(strings.TrimPrefix(r.signature, "sha256="))
	return given, err == nil && len(given) == sha256.Size
}
