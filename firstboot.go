package forge

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// stageSSH begins the stage in which a new machine does not let forge in yet; how far
// the last try came follows it.
const stageSSH = "ssh"

// firstBoot waits until the machine answers, and until it has ended its first boot.
// "Active" at the provider is no more than power: sshd comes later, may go again,
// and what cloud-init does after that goes on for minutes.
func (c *core) firstBoot(ctx context.Context, w *work, srv *Server) error {
	if !strings.HasPrefix(w.action.Stage, stageSSH) {
		if err := w.stage(ctx, stageSSH); err != nil {
			return err
		}
	}
	result, err := c.client(srv).Run(ctx, stack.FirstBoot())
	var connect *sshexec.ConnectError
	var exit *sshexec.ExitError
	switch {
	case ctx.Err() != nil: // the deadline's own words
		return unreachable(err)
	case errors.As(err, &connect):
		if err := w.stage(ctx, stageSSH+": "+string(connect.Stage)); err != nil {
			return err
		}
	case errors.As(err, &exit) && exit.ExitCode == stack.FirstBootRuns:
		if err := w.stage(ctx, "cloud-init"); err != nil {
			return err
		}
		return &waiting{least: 3 * time.Second, most: 10 * time.Second, why: errors.New("cloud-init has not ended")}
	}
	if err != nil {
		return unreachable(err)
	}
	if said := strings.TrimSpace(string(result.Stdout)); said != "" {
		return w.say(ctx, said)
	}
	return nil
}
