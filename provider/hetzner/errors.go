package hetzner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// meaning says what to do about an error code of the vendor, and what it means.
func meaning(code hcloud.ErrorCode) (advice string, kind error) {
	switch code {
	case hcloud.ErrorCodeUnauthorized:
		return "make an API token in the Hetzner Console, under Security of the project", provider.ErrAuth
	case hcloud.ErrorCodeForbidden, "token_readonly":
		return "the token needs the right to read and write", provider.ErrPermission
	case hcloud.ErrorCodeNotFound:
		return "", provider.ErrNotFound
	case hcloud.ErrorCodeInvalidInput, hcloud.ErrorCodeJSONError, hcloud.ErrorUnsupportedError,
		hcloud.ErrorCodeNetworksOverlap, hcloud.ErrorCodeIncompatibleNetworkType:
		return "", provider.ErrInvalid
	case hcloud.ErrorCodeInvalidServerType:
		return "choose a size of the same architecture, with a disk that is not smaller", provider.ErrInvalid
	case hcloud.ErrorDeprecatedAPIEndpoint:
		return "a newer version of forge is needed", provider.ErrInvalid
	case hcloud.ErrorCodeResourceLimitExceeded:
		return "delete servers that are not needed, or ask Hetzner for a higher limit", provider.ErrQuota
	case hcloud.ErrorCodeNoSubnetAvailable, hcloud.ErrorCodeIPNotAvailable:
		return "add a subnet to the network", provider.ErrQuota
	case hcloud.ErrorCodeResourceUnavailable, hcloud.ErrorCodePlacementError:
		return "choose another region or size, or try later", provider.ErrCapacity
	case hcloud.ErrorCodeRateLimitExceeded:
		return "", provider.ErrRateLimit
	case hcloud.ErrorCodeUniquenessError, hcloud.ErrorCodeResourceInUse:
		return "", provider.ErrConflict
	case hcloud.ErrorCodeServerNotStopped:
		return "switch the server off first", provider.ErrConflict
	case hcloud.ErrorCodeProtected:
		return "take the protection off in the Hetzner Console", provider.ErrConflict
	case hcloud.ErrorCodeResourceLocked:
		return "ask Hetzner's support", provider.ErrConflict
	case hcloud.ErrorCodeLocked, hcloud.ErrorCodeConflict, hcloud.ErrorCodeMaintenance, hcloud.ErrorCodeServiceError,
		hcloud.ErrorCodeServerError, hcloud.ErrorCodeUnknownError, hcloud.ErrorCodeRobotUnavailable,
		hcloud.ErrorCodeBadGateway, hcloud.ErrorCodeTimeout:
		return "try again in a while", provider.ErrUnavailable
	default:
		return "", nil
	}
}

// failure wraps an error of the client with what it means. What came without the
// vendor's own words, such as a status alone, says nothing but that there was no
// answer: it may be from something on the way.
func failure(err error) error {
	var limited *provider.RateLimitError
	var told hcloud.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &limited):
		return limited
	case !errors.As(err, &told):
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	advice, kind := meaning(told.Code)
	if kind == nil { // the vendor adds codes
		kind = provider.ErrInvalid
		if resp := told.Response(); resp == nil || resp.StatusCode >= http.StatusInternalServerError {
			kind = provider.ErrUnavailable
		}
	}
	return cloud.Failure(kind, fmt.Errorf("%w%s", told, fields(told)), advice)
}

// refusal is failure for a request that names other things, any of which may be
// what was not found.
func refusal(err error) error {
	if hcloud.IsError(err, hcloud.ErrorCodeNotFound) {
		return fmt.Errorf("%w: it names what does not exist in the project: %w", provider.ErrInvalid, err)
	}
	return failure(err)
}

// fields lists what is wrong with each field of a request.
func fields(told hcloud.Error) string {
	details, ok := told.Details.(hcloud.ErrorDetailsInvalidInput)
	if !ok {
		return ""
	}
	var b strings.Builder
	for _, field := range details.Fields {
		b.WriteString(": " + field.Name + ": " + strings.Join(field.Messages, ", "))
	}
	return b.String()
}

// ambiguous reports whether nobody knows if a request took effect.
func ambiguous(err error) bool {
	var told hcloud.Error
	if errors.Is(err, provider.ErrRateLimit) {
		return false
	}
	return !errors.As(err, &told) || errors.Is(failure(err), provider.ErrUnavailable)
}
