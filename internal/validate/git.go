package validate

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxRef = 200  // bytes; git makes a file of it with a suffix
	maxURL = 1024 // bytes
)

// refPattern is what needs no quotes anywhere in a shell script, as a branch
// is put into scripts for {{BRANCH}}. It is less than git permits: no # = % , !
// or letters beyond ASCII. The first character cannot make it an option (-x, +x),
// a reference to a file (@x) or a comment.
var refPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+@-]*$`)

// Branch checks a branch, a tag or another ref, in its short form or not.
func Branch(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case len(value) > maxRef:
		return "", hidden(field, "must have at most %d characters", maxRef)
	case !refPattern.MatchString(value):
		return "", broken(field, value, "must have only letters, digits and . _ / + @ -, with a letter, digit or _ first")
	case value == "HEAD":
		return "", broken(field, value, "must be a branch, not HEAD")
	case strings.Contains(value, ".."):
		return "", broken(field, value, "must not have two dots in a row")
	case strings.HasSuffix(value, "."):
		return "", broken(field, value, "must not end with a dot")
	}
	for part := range strings.SplitSeq(value, "/") {
		switch {
		case part == "":
			return "", broken(field, value, "must not end with a slash or have two in a row")
		case part[0] == '.' || strings.HasSuffix(part, ".lock"):
			return "", broken(field, value, `must not have a part that begins with a dot or ends with ".lock"`)
		}
	}
	return value, nil
}

// Repo is where a git repository is.
type Repo struct {
	URL    string // as git takes it, in the form in which it was given
	Scheme string // ssh or https
	User   string // login name of ssh; may be empty
	Host   string // host name or IPv4 address, in lower case
	Port   int    // 22 for ssh and 443 for https, if not given
}

var (
	scpForm = regexp.MustCompile(`^([^@/:]+@)([^@/:]+):(.+)$`)
	urlForm = regexp.MustCompile(`^([A-Za-z]+)://([^@/]*@)?([^@/:]+)(:[0-9]+)?(/.+)$`)

	loginPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	// partPattern is a part of a path. It allows the space that Azure writes as
	// %20 and no other code, as git decodes them; and the tilde of a user.
	partPattern = regexp.MustCompile(`^(~?[A-Za-z0-9._+@]|%20)([A-Za-z0-9._+@-]|%20)*$`)
)

const ruleForm = "must be git@host:path, or begin with ssh:// or https:// and have a host and a path"

// Repository checks the address of a git repository: ssh://user@host/path,
// user@host:path or https://host/path. An error never shows the value, which
// may hold a password.
func Repository(field, value string) (Repo, error) {
	refuse := func(rule string) (Repo, error) { return Repo{}, hidden(field, "%s", rule) }
	switch {
	case value == "":
		return refuse(required)
	case len(value) > maxURL:
		return refuse(fmt.Sprintf("must have at most %d characters", maxURL))
	case strings.ContainsAny(value, "?#"):
		return refuse("must not have a query or a fragment")
	}
	r := Repo{Scheme: "ssh", Port: 22}
	var login, host, port, path string // login with its @, port with its colon
	scp := scpForm.FindStringSubmatch(value)
	if scp != nil {
		login, host, path = scp[1], scp[2], scp[3]
	} else {
		m := urlForm.FindStringSubmatch(value)
		if m == nil {
			return refuse(ruleForm)
		}
		r.Scheme, login, host, port, path = strings.ToLower(m[1]), m[2], m[3], m[4], m[5]
		switch r.Scheme {
		case "ssh":
		case "https":
			r.Port = 443
		default:
			return refuse(ruleForm)
		}
		if strings.Contains(login, ":") || r.Scheme == "https" && login != "" {
			return refuse("must not have credentials in it: those for https are RepositoryUser and RepositoryToken")
		}
	}
	r.User = strings.TrimSuffix(login, "@")
	if login != "" && !loginPattern.MatchString(r.User) {
		return refuse("must have a user name of letters, digits and . _ -, without a dash first")
	}
	r.Host = lower(host)
	if !isIPv4(r.Host) && hostRule(r.Host) != "" {
		return refuse("must have a host name or an IPv4 address as its host")
	}
	if port != "" {
		n, err := strconv.ParseUint(port[1:], 10, 16)
		if err != nil || n == 0 {
			return refuse("must have a port between 1 and 65535")
		}
		port, r.Port = fmt.Sprintf(":%d", n), int(n)
	}
	path = strings.TrimSuffix(path, "/")
	if !isRepoPath(path) {
		return refuse("must have a path of letters, digits and . _ + @ ~ -, without .., empty parts or a dash first")
	}
	if scp != nil {
		r.URL = login + r.Host + ":" + path
	} else {
		r.URL = r.Scheme + "://" + login + r.Host + port + path
	}
	return r, nil
}

// accountPattern has the @ of a mail address and the + of GitLab's deploy tokens.
var accountPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,254}$`)

// RepositoryUser checks the name that logs in to a repository over https.
func RepositoryUser(field, value string) (string, error) {
	if !accountPattern.MatchString(value) {
		return "", broken(field, value, "must have at most 255 letters, digits and . _ + @ -, with a letter, digit or _ first")
	}
	return value, nil
}

// MaxToken is how many bytes the token of a repository can have.
const MaxToken = 4096

// RepositoryToken checks the token or password that logs in to a repository
// over https. git takes it as a line. An error never shows the value.
func RepositoryToken(field, value string) (string, error) {
	switch {
	case value == "":
		return "", hidden(field, required)
	case len(value) > MaxToken:
		return "", hidden(field, "must have at most %d bytes", MaxToken)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "", hidden(field, "must be one line of text, without control characters")
	}
	return value, nil
}

func isIPv4(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4()
}

// isRepoPath reports whether a path may stand in the address of a repository.
// A relative one has no tilde first: bash expands it behind a colon.
func isRepoPath(path string) bool {
	if path == "" || path[0] == '~' {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "." || part == ".." || !partPattern.MatchString(part) {
			return false
		}
	}
	return true
}
