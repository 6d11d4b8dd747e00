package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// meaning is what an answer of the vendor says, and what to do about it.
type meaning struct {
	kind   error
	advice string
}

var (
	auth        = meaning{provider.ErrAuth, "make an API token in the control panel"}
	permission  = meaning{provider.ErrPermission, "give the token full access, or the scopes that package digitalocean names"}
	restricted  = meaning{provider.ErrPermission, "ask DigitalOcean to lift the restriction of the account"}
	missing     = meaning{provider.ErrNotFound, ""}
	invalid     = meaning{provider.ErrInvalid, ""}
	conflict    = meaning{provider.ErrConflict, ""}
	quota       = meaning{provider.ErrQuota, "delete what is not needed, or ask DigitalOcean for a higher limit"}
	capacity    = meaning{provider.ErrCapacity, "choose another region or size, or try later"}
	unavailable = meaning{provider.ErrUnavailable, "try again in a while"}
)

// statuses say what a status means.
var statuses = map[int]meaning{
	http.StatusUnauthorized:   auth,
	http.StatusForbidden:      permission,
	http.StatusNotFound:       missing,
	http.StatusConflict:       conflict,
	http.StatusRequestTimeout: unavailable,
	http.StatusLocked:         unavailable,
}

// phrases say what a refusal means, as the vendor has one status for very different
// ones. The first that is in the message counts.
var phrases = []struct {
	phrase string
	meaning
}{
	{"try again", unavailable},
	{"pending event", unavailable},
	{"droplet limit", quota},
	{"exceed", quota},
	{"limit reached", quota},
	{"restricted", restricted},
	{"not authorized", permission},
	{"image", invalid}, // is not in a region for as long as nobody transfers it there
	{"not available", capacity},
	{"unavailable", capacity},
	{"temporarily disabled", capacity},
	{"too large to fit", capacity},
	{"already", conflict},
	{"must be powered off", conflict},
}

// failure wraps an error of the client with what it means. What came without the
// vendor's own words, such as a status alone, says nothing but that there was no
// answer: it may be from something on the way.
func failure(err error) error {
	var limited *provider.RateLimitError
	var told *godo.ErrorResponse
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &limited):
		return limited
	case !errors.As(err, &told):
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	m := means(told)
	return cloud.Failure(m.kind, told, m.advice)
}

func means(told *godo.ErrorResponse) meaning {
	status := told.Response.StatusCode
	if m, ok := statuses[status]; ok && (told.Message != "" || m == auth) {
		return m
	}
	if told.Message == "" || status < http.StatusBadRequest || status >= http.StatusInternalServerError {
		return unavailable
	}
	message := strings.ToLower(told.Message)
	for _, p := range phrases {
		if strings.Contains(message, p.phrase) {
			return p.meaning
		}
	}
	return invalid
}

// refusal is failure for a request that names other things, any of which may be
// what was not found.
func refusal(err error) error {
	err = failure(err)
	if errors.Is(err, provider.ErrNotFound) {
		var told *godo.ErrorResponse
		errors.As(err, &told)
		return fmt.Errorf("%w: it names what does not exist in the account: %w", provider.ErrInvalid, told)
	}
	return err
}

// gone reports whether what a request was about does not exist.
func gone(err error) bool { return errors.Is(failure(err), provider.ErrNotFound) }

// ambiguous reports whether nobody knows if a request took effect.
func ambiguous(err error) bool {
	var told *godo.ErrorResponse
	if err == nil || errors.Is(err, provider.ErrRateLimit) {
		return false
	}
	return !errors.As(err, &told) || told.Response.StatusCode == http.StatusConflict || errors.Is(failure(err), provider.ErrUnavailable)
}
