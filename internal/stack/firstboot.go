package stack

import (
	_ "embed"

	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed first_boot.sh
var firstBoot string

// FirstBootRuns is the exit status of the command of FirstBoot while the machine is
// in its first boot.
const FirstBootRuns = 75

// FirstBoot returns the command that looks whether a machine's first boot, in which
// its image installs packages and keys, has ended. It prints what is remarkable
// about that.
func FirstBoot() sshexec.Command { return sshexec.Command{Script: firstBoot} }
