package keysource

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

const (
	maxURL = 2048 // characters
	port   = "443"
)

// address checks where a document is: https, its own port, and a host by its
// name. What that name resolves to is checked where it is dialled.
func address(value string) (*url.URL, error) {
	switch {
	case value == "":
		return nil, refuse("is required")
	case len(value) > maxURL:
		return nil, refuse("must have at most %d characters", maxURL)
	case strings.Contains(value, "#"):
		return nil, refuse("must not have a fragment")
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return nil, refuse("must be a URL")
	case u.Scheme != "https":
		return nil, refuse("must begin with https://")
	case u.User != nil:
		return nil, refuse("must not have credentials in it")
	case u.Hostname() == "":
		return nil, refuse("must have a host")
	case u.Port() != "" && u.Port() != port:
		return nil, refuse("must not have another port than %s", port)
	}
	host, err := validate.Domain("url", u.Hostname())
	var bad *validate.Error
	if errors.As(err, &bad) {
		return nil, refuse("must have the name of a host, which %s", bad.Rule)
	}
	u.Host = host
	return u, nil
}

// refuse never shows the address, as a path or a query may hold a token.
func refuse(rule string, args ...any) error {
	return &validate.Error{Field: "url", Rule: fmt.Sprintf(rule, args...)}
}
