package hetzner

import (
	"context"
	"fmt"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const (
	// lockedFor is how long a new server may be locked before its backups can be
	// switched on, looked at every lockedPoll.
	lockedFor  = time.Minute
	lockedPoll = 5 * time.Second
)

// backUp switches backups on, which can be repeated. A new server is not found, and
// then locked, for a while.
func (p *Provider) backUp(ctx context.Context, srv *hcloud.Server) error {
	if srv.BackupWindow != "" {
		return nil
	}
	for deadline := time.Now().Add(lockedFor); ; {
		_, _, err := p.client.Server.EnableBackup(ctx, srv, "")
		p.fleet.Changed(formatID(srv.ID))
		switch {
		case !hcloud.IsError(err, hcloud.ErrorCodeLocked, hcloud.ErrorCodeNotFound):
			return failure(err)
		case time.Now().After(deadline):
			return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
		}
		if err := cloud.Sleep(ctx, lockedPoll); err != nil {
			return err
		}
	}
}
