package sshexec

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/sshexec/internal/runcall"
)

// StartError says why the server did not start a run: there is no such user or
// directory, or the disk is full. Nothing of it is left on the server, and its ID
// is free: another start may work.
type StartError struct {
	ID     string
	Reason string
}

func (e *StartError) Error() string { return fmt.Sprintf("start run %s: %s", e.ID, e.Reason) }

func invalidRun(id, format string, args ...any) error {
	return fmt.Errorf("%w: run %q: %s", ErrInvalid, id, fmt.Sprintf(format, args...))
}

var (
	idRule   = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	envRule  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	fileRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)
	// bash sets these itself and lets nobody else.
	bashOwn = regexp.MustCompile(`^(UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_VERSINFO|_)$`)
)

// What Linux bounds: one string, and all of them together.
const (
	maxEnvValue = 128<<10 - 1
	maxEnv      = 1 << 20
)

func (s RunSpec) withDefaults() RunSpec {
	if s.User == "" {
		s.User = "root"
	}
	if s.StopTimeout == 0 {
		s.StopTimeout = 2 * time.Second
	}
	if s.MaxLog == 0 {
		s.MaxLog = math.MaxInt64
	}
	return s
}

func (s RunSpec) validate() error {
	if err := (Command{User: s.User, Fence: s.Fence}).check(); err != nil {
		return fmt.Errorf("run %s: %w", s.ID, err)
	}
	switch {
	case len(s.Script) == 0:
		return invalidRun(s.ID, "the script is empty")
	case s.Dir != "" && !path.IsAbs(s.Dir) || strings.ContainsRune(s.Dir, 0):
		return invalidRun(s.ID, "the directory %q is not absolute", s.Dir)
	case s.StopTimeout < time.Millisecond:
		return invalidRun(s.ID, "the stop timeout %v is below 1ms", s.StopTimeout)
	case s.MaxLog < 0:
		return invalidRun(s.ID, "the limit of the log is negative")
	}
	for name := range s.Files {
		if !fileRule.MatchString(name) || name == "." || name == ".." {
			return invalidRun(s.ID, "the file name %q is not letters, digits, dots, dashes and underscores", name)
		}
	}
	return s.validateEnv()
}

func (s RunSpec) validateEnv() error {
	total := 0
	for name, value := range s.Env {
		total += len(name) + len(value) + 2
		switch {
		case !envRule.MatchString(name):
			return invalidRun(s.ID, "%q is no name of an environment variable", name)
		case bashOwn.MatchString(name):
			return invalidRun(s.ID, "the environment variable %s is set by bash alone", name)
		case strings.ContainsRune(value, 0):
			return invalidRun(s.ID, "the environment variable %s holds a NUL", name)
		case len(name)+len(value) >= maxEnvValue:
			return invalidRun(s.ID, "the environment variable %s is longer than %d bytes", name, maxEnvValue)
		}
	}
	if total > maxEnv {
		return invalidRun(s.ID, "the environment is larger than %d bytes", maxEnv)
	}
	return nil
}

// payload is what the server needs to start the run. The script comes last: where
// it is whole, so is the rest.
func (s RunSpec) payload() []byte {
	var payload []byte
	add := func(name string, mode int, data []byte) {
		payload = runcall.File{Name: name, Mode: mode, Data: data}.Append(payload)
	}
	add("launch", 0o640, embedded("launch.sh"))
	add("supervise", 0o600, embedded("supervise.sh"))
	add("end", 0o600, embedded("end.pl"))
	add("environ", 0o600, s.environ())
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		add("files/"+name, 0o400, s.Files[name])
	}
	mode := 0o640
	if bytes.HasPrefix(s.Script, []byte("#!")) {
		mode = 0o750
	}
	add("script", mode, s.Script)
	return payload
}

// environ is what launch.sh reads: the directory and the environment. HOME is
// known on the server only.
func (s RunSpec) environ() []byte {
	env := map[string]string{
		"USER":          s.User,
		"LOGNAME":       s.User,
		"SHELL":         "/bin/bash",
		"PATH":          "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG":          "C.UTF-8",
		"FORGE_RUN_DIR": "/var/lib/forge/runs/" + s.ID + "/files",
	}
	maps.Copy(env, s.Env)
	var buf bytes.Buffer
	buf.WriteString(s.Dir + "\x00")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		buf.WriteString(name + "=" + env[name] + "\x00")
	}
	return buf.Bytes()
}
