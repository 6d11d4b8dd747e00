package forge

import "slices"

// The moves that each status allows; "" is the state before the record is.
// Everything that changes a status goes through one of the functions below.
type moves[S ~string] map[S][]S

var (
	actionMoves = moves[ActionStatus]{
		"":               {ActionPending},
		ActionPending:    {ActionRunning, ActionCancelling, ActionFailed, ActionCancelled, ActionSuperseded},
		ActionRunning:    {ActionPending, ActionCancelling, ActionFinished, ActionFailed, ActionCancelled},
		ActionCancelling: {ActionFinished, ActionFailed, ActionCancelled},
	}
	serverMoves = moves[ServerStatus]{
		"":                 {ServerPending},
		ServerPending:      {ServerCreating, ServerError, ServerDeleting},
		ServerCreating:     {ServerProvisioning, ServerError, ServerDeleting},
		ServerProvisioning: {ServerActive, ServerError, ServerDeleting},
		ServerActive:       {ServerProvisioning, ServerArchived, ServerDeleting},
		ServerError:        {ServerCreating, ServerProvisioning, ServerArchived, ServerDeleting},
		ServerArchived:     {ServerActive, ServerError, ServerDeleting},
		ServerDeleting:     {ServerDeleted, ServerError, ServerActive, ServerArchived},
	}
	siteMoves = moves[SiteStatus]{
		"":                 {SitePending},
		SitePending:        {SiteInstalling, SiteFailed, SiteDeleting},
		SiteInstalling:     {SiteAwaitingAccess, SiteInstalled, SiteFailed, SiteDeleting},
		SiteAwaitingAccess: {SiteInstalling, SiteFailed, SiteDeleting},
		SiteInstalled:      {SiteDeployed, SiteInstalling, SiteAwaitingAccess, SiteDeleting},
		SiteDeployed:       {SiteInstalling, SiteAwaitingAccess, SiteDeleting},
		SiteFailed:         {SiteInstalling, SiteDeleting},
		SiteDeleting:       {SiteFailed, SiteAwaitingAccess, SiteInstalled, SiteDeployed},
	}
	deploymentMoves = moves[DeploymentStatus]{
		"":                   {DeploymentPending},
		DeploymentPending:    {DeploymentRunning, DeploymentFailed, DeploymentCancelled, DeploymentSuperseded},
		DeploymentRunning:    {DeploymentCancelling, DeploymentFinished, DeploymentFailed, DeploymentCancelled},
		DeploymentCancelling: {DeploymentFinished, DeploymentFailed, DeploymentCancelled},
	}
	grantMoves = moves[GrantStatus]{
		"":            {GrantPending},
		GrantPending:  {GrantSynced, GrantFailed, GrantRevoking},
		GrantSynced:   {GrantPending, GrantRevoking},
		GrantFailed:   {GrantPending, GrantRevoking},
		GrantRevoking: {GrantRevoked, GrantFailed, GrantPending},
		GrantRevoked:  {GrantPending, GrantRevoking},
	}
)

// move changes a status where its table allows it, and emits the event. Moving
// to the state that is there already changes nothing.
func move[S ~string](tx Tx, table moves[S], status *S, to S, e Event) error {
	if *status == to {
		return nil
	}
	if !slices.Contains(table[*status], to) {
		return badState("a %s cannot go from %q to %q", e.Subject.Kind, *status, to)
	}
	e.Type, e.From, e.To = EventStatus, string(*status), string(to)
	tx.Emit(e)
	*status = to
	return nil
}

func moveServer(tx Tx, s *Server, to ServerStatus, action string) error {
	return move(tx, serverMoves, &s.Status, to, Event{
		Owner: s.Owner, Subject: Subject{SubjectServer, s.ID}, Server: s.ID, Action: action,
	})
}

func moveSite(tx Tx, s *Site, to SiteStatus, action string) error {
	return move(tx, siteMoves, &s.Status, to, Event{
		Owner: s.Owner, Subject: Subject{SubjectSite, s.ID}, Server: s.Server, Action: action,
	})
}

func moveDeployment(tx Tx, d *Deployment, to DeploymentStatus) error {
	return move(tx, deploymentMoves, &d.Status, to, Event{
		Owner: d.Owner, Subject: Subject{SubjectDeployment, d.ID}, Server: d.Server, Action: d.Action,
	})
}

func moveGrant(tx Tx, g *Grant, to GrantStatus) error {
	return move(tx, grantMoves, &g.Status, to, Event{
		Owner: g.Owner, Subject: Subject{SubjectGrant, g.ID}, Server: g.Server, Action: g.Action,
	})
}

func moveAction(tx Tx, a *Action, to ActionStatus) error {
	return move(tx, actionMoves, &a.Status, to, Event{
		Owner: a.Owner, Subject: Subject{SubjectAction, a.ID}, Server: a.Server, Action: a.ID,
	})
}
