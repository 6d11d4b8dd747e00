package forge

import (
	"context"
	"time"
)

// The pools of workers.
const (
	poolProvision = "provision"
	poolDeploy    = "deploy"
	poolSSH       = "ssh"
	poolKeys      = "keys" // changes of many servers at once, most of whose time is waiting
	poolDefault   = "default"
)

// job is how the actions of a kind are worked on.
type job struct {
	pool     string
	attempts int           // those of 1 are never repeated, and always resumed
	timeout  time.Duration // of one attempt
	// final is set where the exit of the detached run is the end of the work,
	// so that a run that finished before it could be stopped is finished.
	final bool
	// run does the work. It may be called again for the same attempt, by
	// another process, and then goes on. Parents have none.
	run func(context.Context, *work) error
	// changed keeps the subject in step with the status of the action.
	changed func(*txn, *Action) error
}

// catalogue is the one table of jobs.
func (c *core) catalogue() map[Kind]job {
	return map[Kind]job{
		KindCreateServer: {},
		KindProvision:    {poolProvision, 1, 300 * time.Second, false, c.provision, c.provisionChanged},
		KindInstallStack: {poolProvision, 1, 1800 * time.Second, true, c.install, c.installChanged},
		KindDeleteServer: {poolProvision, 3, 120 * time.Second, false, c.deleteServer, c.deleteServerChanged},

		KindSetupSite:  {},
		KindCreateSite: {poolDeploy, 1, 300 * time.Second, false, c.createSite, c.createSiteChanged},
		KindDeleteSite: {poolDeploy, 3, 120 * time.Second, false, c.deleteSite, c.deleteSiteChanged},
		KindUpdateSite: {poolDeploy, 1, 300 * time.Second, false, c.updateSite, c.updateSiteChanged},
		KindDeploy:     {poolDeploy, 1, 600 * time.Second, true, c.deploy, c.deployChanged},

		KindSetEnvironment: {poolSSH, 3, 60 * time.Second, false, c.setEnvironment, nil},

		KindSyncKeys:   {},
		KindRevokeKeys: {},
		KindDeleteKey:  {},
		KindSyncKey:    {poolKeys, 3, 60 * time.Second, false, c.syncKey, c.grantChanged},
		KindRevokeKey:  {poolKeys, 3, 60 * time.Second, false, c.revokeKey, c.grantChanged},
		KindCutKey:     {poolKeys, 3, 60 * time.Second, false, c.revokeKey, c.grantChanged},

		KindEnforceKeys:   {},
		KindEnforceServer: {poolKeys, 3, 60 * time.Second, false, c.enforce, nil},

		KindRotateKeys: {},
		KindRotateKey:  {poolKeys, 3, 60 * time.Second, false, c.rotateKey, nil},

		KindAddPHP:    {poolProvision, 1, 1800 * time.Second, true, c.changePHP, c.phpChanged},
		KindRemovePHP: {poolProvision, 1, 1800 * time.Second, true, c.changePHP, c.phpChanged},

		KindRestartService: {poolSSH, 3, 60 * time.Second, false, c.restartService, nil},
		KindReboot:         {poolSSH, 1, 300 * time.Second, false, c.reboot, nil},
		KindExec:           {poolSSH, 1, 300 * time.Second, true, c.execCommand, nil},
		KindValidate:       {poolDefault, 3, 30 * time.Second, false, c.validateProvider, nil},
	}
}

// fleetKinds are the parents whose parts are each on a server of its own.
func fleetKinds() []Kind {
	return []Kind{KindSyncKeys, KindRevokeKeys, KindDeleteKey, KindEnforceKeys, KindRotateKeys}
}

func (c *core) timeout(k Kind) time.Duration {
	if d := c.Timeouts[k]; d > 0 {
		return d
	}
	return c.jobs[k].timeout
}
