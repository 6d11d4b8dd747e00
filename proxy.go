package forge

import (
	"maps"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// proxied gives a run the environment by which its server reaches the web; what
// the run has of its own comes first.
func (s *Server) proxied(spec sshexec.RunSpec) sshexec.RunSpec {
	env := s.stackConfig(false).ProxyEnv()
	if len(env) == 0 {
		return spec
	}
	maps.Copy(env, spec.Env)
	spec.Env = env
	return spec
}

// proxiedCommand does so for an attached command.
func (s *Server) proxiedCommand(cmd sshexec.Command) sshexec.Command {
	env := s.stackConfig(false).ProxyEnv()
	if len(env) == 0 {
		return cmd
	}
	const export = `export http_proxy="$1" https_proxy="$1" HTTP_PROXY="$1" HTTPS_PROXY="$1" no_proxy="$2" NO_PROXY="$2"; shift 2` + "\n"
	cmd.Script = export + cmd.Script
	cmd.Args = append([]string{env["http_proxy"], env["no_proxy"]}, cmd.Args...)
	return cmd
}
