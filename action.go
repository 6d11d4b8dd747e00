package forge

import (
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/secret"
)

// Kind is what an action does.
type Kind string

// The kinds of actions. Those without a job of their own are done when their
// children are.
const (
	KindCreateServer   Kind = "create_server"    // parent of provision_server and install_stack
	KindProvision      Kind = "provision_server" // makes the machine
	KindInstallStack   Kind = "install_stack"    // installs the stack
	KindDeleteServer   Kind = "delete_server"
	KindSetupSite      Kind = "setup_site" // parent of create_site and the first deploy_site
	KindCreateSite     Kind = "create_site"
	KindDeleteSite     Kind = "delete_site"
	KindDeploy         Kind = "deploy_site"
	KindSyncKeys       Kind = "sync_keys"   // parent of sync_ssh_key
	KindRevokeKeys     Kind = "revoke_keys" // parent of revoke_ssh_key
	KindSyncKey        Kind = "sync_ssh_key"
	KindRevokeKey      Kind = "revoke_ssh_key"
	KindCutKey         Kind = "cut_ssh_key"  // revokes, and ends the key's sessions; a part of revoke_keys too
	KindDeleteKey      Kind = "delete_key"   // parent of revoke_ssh_key
	KindEnforceKeys    Kind = "enforce_keys" // parent of enforce_ssh_keys
	KindEnforceServer  Kind = "enforce_ssh_keys"
	KindRotateKeys     Kind = "rotate_control_keys" // parent of rotate_control_key
	KindRotateKey      Kind = "rotate_control_key"
	KindUpdateSite     Kind = "update_site"     // brings the server in step with changed settings
	KindSetEnvironment Kind = "set_environment" // writes a site's environment file
	KindRestartService Kind = "restart_service"
	KindReboot         Kind = "reboot_server"
	KindAddPHP         Kind = "add_php"
	KindRemovePHP      Kind = "remove_php"
	KindExec           Kind = "execute_command"
	KindValidate       Kind = "validate_provider"
)

// ActionStatus is the state of an action.
type ActionStatus string

// The states of an action.
const (
	ActionPending    ActionStatus = "pending"    // nobody began it, or it waits for another attempt
	ActionRunning    ActionStatus = "running"    // begun, and worked on or waiting
	ActionCancelling ActionStatus = "cancelling" // it is being stopped
	ActionFinished   ActionStatus = "finished"
	ActionFailed     ActionStatus = "failed"
	ActionCancelled  ActionStatus = "cancelled"
	ActionSuperseded ActionStatus = "superseded" // a newer one took its place before it began
)

// Ended reports whether the status is final.
func (s ActionStatus) Ended() bool {
	switch s {
	case ActionFinished, ActionFailed, ActionCancelled, ActionSuperseded:
		return true
	}
	return false
}

// Reason says, in a fixed word, why an action ended as it did.
type Reason string

// The reasons.
const (
	ReasonNone        Reason = ""
	ReasonExit        Reason = "exit status"     // the command said that it failed
	ReasonTimeout     Reason = "timeout"         // the deadline passed
	ReasonInterrupted Reason = "interrupted"     // the machine stopped in the middle
	ReasonUnknown     Reason = "outcome unknown" // the server could not be asked
	ReasonPanic       Reason = "panic"           // the handler panicked
	ReasonNoProgress  Reason = "no progress"     // handed out too often
	ReasonHostKey     Reason = "host key"        // the server showed another key
	ReasonProvider    Reason = "provider"        // the provider refused
	ReasonUnreachable Reason = "unreachable"     // the server did not answer
	ReasonGone        Reason = "gone"            // the record is gone, or the machine at its provider
	ReasonChild       Reason = "child"           // a part of it did not finish
	ReasonError       Reason = "error"
)

// Failure is why an action failed.
type Failure struct {
	Reason   Reason
	Stage    string // how far it came
	Message  string
	ExitCode int    // where Reason is ReasonExit; -1 for a signal
	Output   string // the last that the command printed
}

// Action is one piece of work that was asked for. Its row in the store is the
// only truth about it.
type Action struct {
	ID      string
	Owner   string
	Actor   string // who asked for it
	Kind    Kind
	Version int // of the shape that it was written in; a process leaves newer ones alone
	Subject Subject
	Server  string // the server that it is done on, if any
	Parent  string // the action that it is a part of, if any
	Input   Input  // what the job needs besides the records

	IdempotencyKey string

	Status  ActionStatus
	Failure *Failure // why it failed; nil otherwise
	Attempt int      // rises when the work starts anew
	Stage   string   // how far the attempt came

	Epoch    int64     // rises with every hand-out; a holder's writes carry it
	Holder   string    // the worker that has it; empty when none has
	Lease    time.Time // until when the holder has it
	RunAt    time.Time // when it may be taken up; zero while it waits for a lock
	Waits    string    // the key of the lock that it waits for
	Waiting  string    // why it waited the last time, other than for a lock
	Handouts int       // hand-outs since the last progress
	Tries    int       // waits since the last progress, for their growing length
	Locks    []string  // the keys of the locks that it needs while it runs
	Timeout  time.Duration
	Deadline time.Time // fixed when the work first starts

	Step     int // 1 to Steps
	Steps    int
	StepName string
	Cursor   Cursor        // the end of the log
	Secrets  secret.Sealed // what is masked in the output of the run
	// LogRemoved is when the lines of the log were removed, as they were too
	// old; zero while they are there.
	LogRemoved time.Time

	Children       int // parts, for a parent
	ChildrenOpen   int // parts that have not ended
	ChildrenFailed int // parts that failed or were cancelled

	Created, Started, Finished time.Time
}

// Input is what a job needs besides the records of its subject.
type Input struct {
	Keys    []string // ids of keys
	User    string   // unix user
	Service string
	Command string
	Force   bool
	Version string        // of PHP
	Was     string        // the status to which a deletion that nobody began goes back
	Boot    string        // the boot that a reboot ends
	Unknown bool          // see EnforceOpts
	Keep    []string      // the same
	Sealed  secret.Sealed // the new environment; the token before an update
	Restore *SiteUpdate   // the settings before an update
}

// Clone returns a copy that shares nothing with the action.
func (a *Action) Clone() *Action {
	c := *a
	c.Locks = slices.Clone(a.Locks)
	c.Input.Keys, c.Input.Keep = slices.Clone(a.Input.Keys), slices.Clone(a.Input.Keep)
	c.Input.Sealed = slices.Clone(a.Input.Sealed)
	c.Input.Restore = a.Input.Restore.clone()
	c.Secrets = slices.Clone(a.Secrets)
	if a.Failure != nil {
		f := *a.Failure
		c.Failure = &f
	}
	return &c
}

// Duration is how long the work took so far or in all; 0 before it starts.
func (a *Action) Duration(now time.Time) time.Duration {
	switch {
	case a.Started.IsZero():
		return 0
	case !a.Finished.IsZero():
		return a.Finished.Sub(a.Started)
	}
	return now.Sub(a.Started)
}

// ActionFilter selects actions.
type ActionFilter struct {
	Owner          string
	Kind           Kind
	Subject        Subject
	Server         string
	Parent         string
	IdempotencyKey string
	Status         []ActionStatus
	Open           bool   // has not ended
	Waits          string // waits for the lock of this key

	// Due selects open actions without a holder and with a RunAt, not zero,
	// up to this time.
	Due time.Time
	// Expired selects open actions with a holder whose Lease ended before
	// this time.
	Expired time.Time
	// EndedBefore selects actions whose Finished, not zero, is before this
	// time, and HasLog of these the ones whose log was not removed.
	EndedBefore time.Time
	HasLog      bool
}
