package memory

import (
	"github.com/tidwall/btree"

	"github.com/seed-797f2c2c/forge"
)

// state is all that the store holds. One that was committed never changes.
type state struct {
	servers     *table[forge.Server, forge.ServerFilter]
	sites       *table[forge.Site, forge.SiteFilter]
	keys        *table[forge.Key, forge.KeyFilter]
	grants      *table[forge.Grant, forge.GrantFilter]
	deployments *table[forge.Deployment, forge.DeploymentFilter]
	actions     *table[forge.Action, forge.ActionFilter]
	deliveries  *table[forge.Delivery, forge.DeliveryFilter]
	locks       *table[forge.Lock, forge.LockFilter]
	logs        *btree.Map[string, *actionLog]
	events      eventLog
}

func newState() *state {
	return &state{
		servers:     newTable(serverSchema()),
		sites:       newTable(siteSchema()),
		keys:        newTable(keySchema()),
		grants:      newTable(grantSchema()),
		deployments: newTable(deploymentSchema()),
		actions:     newTable(actionSchema()),
		deliveries:  newTable(deliverySchema()),
		locks:       newTable(lockSchema()),
		logs:        new(btree.Map[string, *actionLog]),
	}
}

// fork returns a copy to change, in constant time.
func (s *state) fork() *state {
	return &state{
		servers:     s.servers.fork(),
		sites:       s.sites.fork(),
		keys:        s.keys.fork(),
		grants:      s.grants.fork(),
		deployments: s.deployments.fork(),
		actions:     s.actions.fork(),
		deliveries:  s.deliveries.fork(),
		locks:       s.locks.fork(),
		logs:        s.logs.Copy(),
		events:      s.events,
	}
}

func (s *state) log(actionID string) *actionLog {
	if l, ok := s.logs.Get(actionID); ok {
		return l
	}
	return new(actionLog)
}
