package forge

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/secret"
)

// ServerStatus is the state of a server.
type ServerStatus string

// The states of a server.
const (
	ServerPending      ServerStatus = "pending"      // asked for
	ServerCreating     ServerStatus = "creating"     // the provider makes the machine
	ServerProvisioning ServerStatus = "provisioning" // the stack is installed
	ServerActive       ServerStatus = "active"
	ServerError        ServerStatus = "error"    // see Server.Failure; Retry goes on
	ServerArchived     ServerStatus = "archived" // forge leaves the machine alone until Unarchive
	ServerDeleting     ServerStatus = "deleting"
	ServerDeleted      ServerStatus = "deleted" // kept for the audit
)

// Server is a machine that forge looks after.
type Server struct {
	ID             string
	Owner          string
	Name           string // host name
	Labels         map[string]string
	IdempotencyKey string

	Provider   string // the name in Config.Providers
	Region     string
	Size       string
	Image      string           // as "debian-12"
	Bare       bool             // see ServerOpts.Bare
	ProviderID string           // the provider's own id; empty until it is known
	Options    provider.Options // as asked for; UserData is sealed, in the field of its name
	UserData   secret.Sealed    // what cloud-init does for the embedder on the first start

	Address string // where SSH listens: a host name or an address
	Port    int    // SSH port
	User    string // login user
	IPv4    string
	IPv6    string
	Private string

	Status  ServerStatus
	Failure string // why Status is ServerError
	Stack   Stack

	PublicKey        string        // public half of the control key, authorized_keys format
	ControlKey       secret.Sealed // private half, OpenSSH PEM
	ControlKeyMade   time.Time     // when forge made it
	NextPublicKey    string        // of the key that takes its place, while it is rotated
	NextControlKey   secret.Sealed // private half of that, OpenSSH PEM
	OldPublicKey     string        // of the control key before, until the server is known to have it no more
	HostKeys         []string      // the keys the server is known by, authorized_keys format
	InjectedHostKey  secret.Sealed // private host key that is given at create, OpenSSH PEM; until the machine has one of its own
	DatabasePassword secret.Sealed // of the database user "forge"
	RedisPassword    secret.Sealed

	Created, Updated, Provisioned time.Time
}

// Clone returns a copy that shares nothing with the server.
func (s *Server) Clone() *Server {
	c := *s
	c.Labels = maps.Clone(s.Labels)
	c.HostKeys = slices.Clone(s.HostKeys)
	c.Stack = s.Stack.clone()
	c.Options = s.Options.Clone()
	c.UserData = slices.Clone(s.UserData)
	c.ControlKey = slices.Clone(s.ControlKey)
	c.NextControlKey = slices.Clone(s.NextControlKey)
	c.InjectedHostKey = slices.Clone(s.InjectedHostKey)
	c.DatabasePassword = slices.Clone(s.DatabasePassword)
	c.RedisPassword = slices.Clone(s.RedisPassword)
	return &c
}

// ServerFilter selects servers.
type ServerFilter struct {
	Owner          string
	Name           string
	Provider       string
	IdempotencyKey string
	Status         []ServerStatus
	Labels         map[string]string // all of these
}

// Source says where packages come from.
type Source string

// The sources of packages.
const (
	SourceDistro   Source = "distro"   // the distribution's own packages
	SourceUpstream Source = "upstream" // ondrej's PPA, sury, NodeSource, PGDG, MySQL's
)

// Database is a database server.
type Database string

// The database servers.
const (
	NoDatabase Database = ""
	MySQL      Database = "mysql"
	MariaDB    Database = "mariadb"
	PostgreSQL Database = "postgresql"
)

// Stack is what is installed on a server besides what always is: nginx, git,
// curl, unzip, a firewall, and an sshd that takes keys alone. The zero value
// installs just that.
type Stack struct {
	PHP                []string // as "8.2"; the first is the default of the command line
	Database           Database
	DatabaseVersion    string // Defaults to the source's.
	Redis              bool
	Node               string // major version, as "18"; empty for none
	Composer           bool
	Supervisor         bool
	SwapMB             int // size of a swap file in MiB; 0 for none
	UnattendedUpgrades bool
	Timezone           string // Defaults to "UTC".
	Source             Source // Defaults to SourceDistro.

	// Before and After are the embedder's own steps: before anything is
	// installed, on a machine that was found to be the right one, has ended its
	// first boot and knows its proxies; and after all is installed.
	Before, After []Step

	// HTTPProxy is the URL of the proxy by which the server reaches http and
	// https: for packages, own steps, logins, git, deploy scripts and Exec. It
	// has no credentials in it, as every user of the server can read it.
	// NoProxy are the hosts, the domains such as .example.com, the addresses
	// and the networks that the server reaches without; apt, outside of forge's
	// runs, knows the hosts alone.
	HTTPProxy string
	NoProxy   []string
	// AptProxy is the URL of a proxy for packages, in place of HTTPProxy.
	AptProxy string
	// AptMirror is the URL that takes the place of the distribution's archive
	// in apt's sources, as "https://mirror.example.com/debian". For Debian the
	// security archive is the same with "-security" at its end, as the archive
	// itself and its mirrors have it.
	AptMirror string
}

// Step is a step of the embedder's own in the installation of a stack. One that
// fails fails the installation, and Servers.Retry goes on there. Its scripts run
// as root with -euo pipefail, each in a bash of its own that knows the server's
// proxies and no passwords; what they print is in the log. They are kept in the
// server's record as they are, and so are no place for secrets.
type Step struct {
	Name   string // one line of at most 60 characters, which is shown
	Script string // bash, at most 64 KiB
	// Check is bash that exits with 0 where the step is done: then Script is
	// not run, and must have made it so otherwise. Defaults to running Script
	// at every attempt.
	Check string
}

func (s Stack) clone() Stack {
	s.PHP = slices.Clone(s.PHP)
	s.Before, s.After = slices.Clone(s.Before), slices.Clone(s.After)
	s.NoProxy = slices.Clone(s.NoProxy)
	return s
}
