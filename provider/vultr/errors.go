package vultr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// Error is what Vultr answered, for errors.As; govultr has no type for it.
type Error struct {
	Status  int
	Message string // empty where it was not Vultr that spoke, but something on the way
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%d: %s", e.Status, e.Message)
}

// failure reads an answer that is an error.
func failure(status int, text []byte) error {
	var said struct{ Error string }
	_ = json.Unmarshal(text, &said) // what is on the way answers in other words
	told := &Error{Status: status, Message: said.Error}
	advice, kind := told.meaning()
	return cloud.Failure(kind, told, advice)
}

// meaning says what an error is to a caller, and what to do about it. Vultr has no
// codes: a full account, a plan that is sold out and a wrong field are all 400, and a
// server that is not ready for an order is 500.
func (e *Error) meaning() (advice string, kind error) {
	says := func(texts ...string) bool {
		message := strings.ToLower(e.Message)
		for _, text := range texts {
			if strings.Contains(message, text) {
				return true
			}
		}
		return false
	}
	switch {
	case e.Message == "", e.Status == http.StatusRequestTimeout:
		return "", provider.ErrUnavailable
	case e.Status == http.StatusUnauthorized && says("ip address"):
		return "add it to the access control of the API in the account's settings", provider.ErrPermission
	case e.Status == http.StatusUnauthorized:
		return "make a new API key", provider.ErrAuth
	case e.Status == http.StatusForbidden:
		return "give the key's user the right to manage servers and SSH keys", provider.ErrPermission
	case e.Status == http.StatusNotFound:
		return "", provider.ErrNotFound
	case says("currently locked", "pending destruction", "try again"):
		return "", provider.ErrUnavailable
	case says("maximum number", "maximum monthly", "limit raised"):
		return "delete what is not needed, or have Vultr's support raise the limit", provider.ErrQuota
	case says("capacity", "not available in the selected", "sold out", "out of stock"):
		return "choose another region or size, or try later", provider.ErrCapacity
	case e.Status == http.StatusConflict:
		return "", provider.ErrConflict
	case e.Status >= http.StatusInternalServerError:
		return "", provider.ErrUnavailable
	default:
		return "", provider.ErrInvalid
	}
}

// ambiguous reports whether nobody knows if a request took effect.
func ambiguous(err error) bool {
	var told *Error
	switch {
	case err == nil, errors.Is(err, provider.ErrRateLimit): // which is refused before it does anything
		return false
	case errors.As(err, &told):
		return told.Message == "" || told.Status >= http.StatusInternalServerError
	}
	return true
}
