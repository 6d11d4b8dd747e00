package otel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-797f2c2c/forge"
)

// maxCount bounds the counting of what is open, so that a store which does not answer
// costs that gauge, and not the collecting of all the others.
const maxCount = 5 * time.Second

// Watch lets the gauges be read from a Forge whenever metrics are collected, until
// stop is called. One with an owner counts that owner's actions; Config.Authorize is
// asked whether it may.
func (o *Observer) Watch(f *forge.Forge) (stop func() error, err error) {
	var errs []error
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		g, err := o.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return g
	}
	open := gauge("forge.actions.open", "{action}", "Actions that have not ended.")
	conns := gauge("forge.ssh.connections", "{connection}", "Connections to servers that this process holds.")
	sessions := gauge("forge.ssh.sessions", "{session}", "Commands and transfers on the connections to servers.")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r, err := o.meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		held := f.Connections()
		to.ObserveInt64(conns, int64(held.Conns))
		to.ObserveInt64(sessions, int64(held.Sessions))
		return observeOpen(ctx, f, func(s series, n int64) {
			to.ObserveInt64(open, n, metric.WithAttributes(attribute.String("kind", string(s.kind)), attribute.String("state", s.state)))
		})
	}, open, conns, sessions)
	if err != nil {
		return nil, err
	}
	return r.Unregister, nil
}

// series is what open actions are counted by.
type series struct {
	kind  forge.Kind
	state string
}

func observeOpen(ctx context.Context, f *forge.Forge, observe func(series, int64)) error {
	ctx, cancel := context.WithTimeout(ctx, maxCount)
	defer cancel()
	counts := map[series]int64{}
	for a, err := range f.Actions.All(ctx, forge.ActionFilter{Open: true}) {
		if err != nil {
			return err
		}
		counts[series{a.Kind, state(a)}]++
	}
	for s, n := range counts {
		observe(s, n)
	}
	return nil
}

// state is what an action that has not ended does now.
func state(a *forge.Action) string {
	switch {
	case a.Status == forge.ActionCancelling:
		return "cancelling"
	case a.Waits != "":
		return "waiting" // for a lock
	case a.Status == forge.ActionPending:
		return "pending"
	case a.Holder == "" && a.Children == 0:
		return "waiting" // for a cloud or a server
	}
	return "running"
}
