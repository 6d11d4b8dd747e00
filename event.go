package forge

import (
	"time"
)

// SubjectKind is the type of a record.
type SubjectKind string

// The types of records that actions and events are about.
const (
	SubjectServer     SubjectKind = "server"
	SubjectSite       SubjectKind = "site"
	SubjectKey        SubjectKind = "key"
	SubjectGrant      SubjectKind = "grant"
	SubjectDeployment SubjectKind = "deployment"
	SubjectAction     SubjectKind = "action"
	SubjectDelivery   SubjectKind = "delivery"
	SubjectProvider   SubjectKind = "provider"
)

// Subject names a record.
type Subject struct {
	Kind SubjectKind
	ID   string
}

// EventType says what happened.
type EventType string

// The types of events.
const (
	EventStatus  EventType = "status"  // the subject's status went From To
	EventStep    EventType = "step"    // an action came to a step: Step, Steps, Name
	EventLog     EventType = "log"     // an action's log grew up to NextLine
	EventRemoved EventType = "removed" // the record is gone
)

// Event is one change. Events of one store have one order.
type Event struct {
	Seq     int64
	Time    time.Time
	Owner   string
	Type    EventType
	Subject Subject
	Action  string // the action that did it, or is the subject
	Server  string // the server that it is about, if any

	From, To    string // EventStatus; From is empty for a new record
	Step, Steps int    // EventStep
	Name        string // EventStep
	NextLine    int64  // EventLog: the number of the next line
}

// EventFilter selects events. The zero value selects all that are yet to come.
type EventFilter struct {
	// After is the sequence of the last event that was seen. Defaults to the
	// last one that exists. Use Beginning for all that the store still has.
	After int64
	// Server, Subject and Action select what is about them alone.
	Server  string
	Subject Subject
	Action  string
	Types   []EventType
}

// Beginning is the EventFilter.After that selects every event.
const Beginning = -1
