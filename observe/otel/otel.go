// Package otel turns what forge observes into OpenTelemetry metrics and traces. It
// needs OpenTelemetry's API alone: which SDK and which exporter there are is the
// program's choice.
//
//	o, err := otel.New(otel.Config{Meters: meters, Tracers: tracers})
//	f, err := forge.New(forge.Config{Observe: o.Observe, ...})
//	stop, err := o.Watch(f)
//
// The metrics, with their attributes:
//
//	forge.actions.asked        counter      kind
//	forge.actions.retried      counter      kind; attempts that failed and are repeated
//	forge.actions.lost         counter      kind; taken from a worker that fell silent
//	forge.actions.ended        counter      kind, outcome, reason
//	forge.action.wait          histogram, s kind; until an attempt began
//	forge.action.duration      histogram, s kind, outcome; of those that began
//	forge.actions.open         gauge        kind, state: pending, waiting, running, cancelling
//	forge.ssh.connect.duration histogram, s of connections that were made
//	forge.ssh.errors           counter      stage: tcp, handshake, authentication, host key
//	forge.ssh.connections      gauge        open to servers, of this process
//	forge.ssh.sessions         gauge        in use on them
//
// What is counted is counted once among all processes, by the one that did it.
// forge.actions.open is read from the store, and so the same in all of them.
//
// Each action that began is a span, written when it ends. The parts of one action
// have a trace in common, whose id is the action's, whichever processes worked on
// them.
package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Config says where metrics and traces go.
type Config struct {
	Meters  metric.MeterProvider // Defaults to OpenTelemetry's global one.
	Tracers trace.TracerProvider // Defaults to OpenTelemetry's global one.
}

// Observer turns observations into metrics and traces.
type Observer struct {
	meter  metric.Meter
	tracer trace.Tracer

	asked, retried, lost, ended metric.Int64Counter
	wait, duration              metric.Float64Histogram
	connect                     metric.Float64Histogram
	sshErrors                   metric.Int64Counter
}

const scope = "github.com/seed-797f2c2c/forge"

// New makes an Observer, whose Observe is for forge.Config.
func New(c Config) (*Observer, error) {
	if c.Meters == nil {
		c.Meters = otel.GetMeterProvider()
	}
	if c.Tracers == nil {
		c.Tracers = otel.GetTracerProvider()
	}
	o := &Observer{meter: c.Meters.Meter(scope), tracer: c.Tracers.Tracer(scope)}
	var errs []error
	count := func(name, unit, what string) metric.Int64Counter {
		c, err := o.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, what string, bounds ...float64) metric.Float64Histogram {
		h, err := o.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what),
			metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	o.asked = count("forge.actions.asked", "{action}", "Actions that were asked for.")
	o.retried = count("forge.actions.retried", "{attempt}", "Attempts that failed and are repeated.")
	o.lost = count("forge.actions.lost", "{action}", "Actions that were taken from a worker which fell silent.")
	o.ended = count("forge.actions.ended", "{action}", "Actions that ended.")
	o.wait = seconds("forge.action.wait", "Time until an attempt began.", .01, .05, .25, 1, 5, 15, 60, 300, 1800)
	o.duration = seconds("forge.action.duration", "Duration of actions from their first begin to their end.",
		.1, .5, 1, 5, 15, 30, 60, 120, 300, 600, 1800)
	o.connect = seconds("forge.ssh.connect.duration", "Time until a connection to a server was ready.",
		.01, .025, .05, .1, .25, .5, 1, 2.5, 10)
	o.sshErrors = count("forge.ssh.errors", "{error}", "Connections to servers that failed.")
	return o, errors.Join(errs...)
}

// Observe is for forge.Config.Observe.
func (o *Observer) Observe(seen forge.Observation) {
	ctx := context.Background()
	if seen.Type == forge.ObservedConnect {
		o.connected(ctx, seen)
		return
	}
	kind := attribute.String("kind", string(seen.Action.Kind))
	switch seen.Type {
	case forge.ObservedAsked:
		o.asked.Add(ctx, 1, metric.WithAttributes(kind))
	case forge.ObservedRetry:
		o.retried.Add(ctx, 1, metric.WithAttributes(kind))
	case forge.ObservedLost:
		o.lost.Add(ctx, 1, metric.WithAttributes(kind))
	case forge.ObservedBegan:
		o.wait.Record(ctx, seen.Took.Seconds(), metric.WithAttributes(kind))
	case forge.ObservedEnded:
		outcome := attribute.String("outcome", string(seen.Action.Status))
		o.ended.Add(ctx, 1, metric.WithAttributes(kind, outcome, attribute.String("reason", reason(seen.Action))))
		if !seen.Action.Started.IsZero() {
			o.duration.Record(ctx, seen.Took.Seconds(), metric.WithAttributes(kind, outcome))
			o.span(ctx, seen.Action)
		}
	}
}

func (o *Observer) connected(ctx context.Context, seen forge.Observation) {
	var changed *sshexec.HostKeyError
	var connect *sshexec.ConnectError
	stage := "other"
	switch {
	case seen.Err == nil:
		o.connect.Record(ctx, seen.Took.Seconds())
		return
	case errors.As(seen.Err, &changed):
		stage = "host key"
	case errors.As(seen.Err, &connect):
		stage = string(connect.Stage)
	}
	o.sshErrors.Add(ctx, 1, metric.WithAttributes(attribute.String("stage", stage)))
}

func reason(a *forge.Action) string {
	if a.Failure == nil {
		return ""
	}
	return string(a.Failure.Reason)
}
