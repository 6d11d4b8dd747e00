package otel

import (
	"context"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-797f2c2c/forge"
)

// span writes an action that has ended as a span.
func (o *Observer) span(ctx context.Context, a *forge.Action) {
	_, span := o.tracer.Start(inTrace(ctx, a), string(a.Kind), trace.WithTimestamp(a.Started), trace.WithAttributes(
		attribute.String("forge.action", a.ID), attribute.String("forge.parent", a.Parent),
		attribute.String("forge.subject.kind", string(a.Subject.Kind)), attribute.String("forge.subject", a.Subject.ID),
		attribute.String("forge.server", a.Server), attribute.String("forge.owner", a.Owner), attribute.String("forge.actor", a.Actor),
		attribute.String("forge.outcome", string(a.Status)), attribute.String("forge.reason", reason(a)),
		attribute.Int("forge.attempt", a.Attempt), attribute.Float64("forge.wait", a.Started.Sub(a.Created).Seconds()),
	))
	if a.Failure != nil {
		span.SetStatus(codes.Error, a.Failure.Message)
	}
	span.End(trace.WithTimestamp(a.Finished))
}

// inTrace is in the trace of the action that this one is a part of. A process
// knows nothing of the spans of others, so what they are all below is named after
// that action, which alone is known to all.
func inTrace(ctx context.Context, a *forge.Action) context.Context {
	whole := a.Parent
	if whole == "" {
		whole = a.ID
	}
	id, err := uuid.Parse(whole)
	if err != nil {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(id), SpanID: trace.SpanID(id[8:]), TraceFlags: trace.FlagsSampled,
	}))
}
