package sshfleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// Check says why there can be no fleet on this machine.
func Check() error {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return errors.New("sshfleet: needs Linux and root")
	}
	for _, needed := range []struct{ program, pkg string }{
		{sshdProgram, "openssh-server"}, {"ip", "iproute2"}, {"nsenter", "util-linux"}, {"mount", "mount"}, {"bash", "bash"},
	} {
		if _, err := exec.LookPath(needed.program); err != nil {
			return fmt.Errorf("sshfleet: needs %s: apt-get install %s", needed.program, needed.pkg)
		}
	}
	return nil
}
