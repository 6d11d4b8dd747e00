package otel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/observe/otel"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// observed is an Observer whose metrics and spans a test reads.
type observed struct {
	*otel.Observer
	t      *testing.T
	reader *metric.ManualReader
	spans  *tracetest.SpanRecorder
}

func observer(t *testing.T) *observed {
	o := &observed{t: t, reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	made, err := otel.New(otel.Config{
		Meters:  metric.NewMeterProvider(metric.WithReader(o.reader)),
		Tracers: trace.NewTracerProvider(trace.WithSpanProcessor(o.spans)),
	})
	require.NoError(t, err)
	o.Observer = made
	return o
}

// values are all metrics, as text: name, attributes, and the sum or the count.
func (o *observed) values() []string {
	var all metricdata.ResourceMetrics
	require.NoError(o.t, o.reader.Collect(o.t.Context(), &all))
	var found []string
	add := func(name string, set attribute.Set, value any) {
		found = append(found, fmt.Sprint(name, "{", set.Encoded(attribute.DefaultEncoder()), "} ", value))
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				add(m.Name, p.Attributes, p.Value)
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				add(m.Name, p.Attributes, p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				add(m.Name, p.Attributes, fmt.Sprint(p.Count, " in ", p.Sum, "s"))
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestMetricsAndSpansOfAction(t *testing.T) {
	t.Parallel()
	o := observer(t)
	id, whole := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	asked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := &forge.Action{ID: id.String(), Parent: whole.String(), Kind: forge.KindDeploy, Actor: "ada", Server: "s1",
		Status: forge.ActionFailed, Attempt: 1, Created: asked, Started: asked.Add(2 * time.Second), Finished: asked.Add(5 * time.Second),
		Failure: &forge.Failure{Reason: forge.ReasonExit, Message: "it failed"}}
	never := &forge.Action{ID: whole.String(), Kind: forge.KindDeploy, Status: forge.ActionSuperseded}
	o.Observe(forge.Observation{Type: forge.ObservedAsked, Action: a})
	o.Observe(forge.Observation{Type: forge.ObservedBegan, Action: a, Took: 2 * time.Second})
	o.Observe(forge.Observation{Type: forge.ObservedLost, Action: a})
	o.Observe(forge.Observation{Type: forge.ObservedRetry, Action: a})
	o.Observe(forge.Observation{Type: forge.ObservedEnded, Action: a, Took: 3 * time.Second})
	o.Observe(forge.Observation{Type: forge.ObservedEnded, Action: never})
	require.Equal(t, []string{
		"forge.action.duration{kind=deploy_site,outcome=failed} 1 in 3s",
		"forge.action.wait{kind=deploy_site} 1 in 2s",
		"forge.actions.asked{kind=deploy_site} 1",
		"forge.actions.ended{kind=deploy_site,outcome=failed,reason=exit status} 1",
		"forge.actions.ended{kind=deploy_site,outcome=superseded,reason=} 1",
		"forge.actions.lost{kind=deploy_site} 1",
		"forge.actions.retried{kind=deploy_site} 1",
	}, o.values())

	require.Len(t, o.spans.Ended(), 1, "what never began is no span")
	span := o.spans.Ended()[0]
	require.Equal(t, "deploy_site", span.Name())
	require.Equal(t, a.Started, span.StartTime())
	require.Equal(t, a.Finished, span.EndTime())
	require.Equal(t, trace.Status{Code: codes.Error, Description: "it failed"}, span.Status())
	require.Equal(t, whole[:], func() []byte { id := span.SpanContext().TraceID(); return id[:] }(), "the trace is that of the whole")
	require.Contains(t, span.Attributes(), attribute.String("forge.action", a.ID))
	require.Contains(t, span.Attributes(), attribute.String("forge.actor", "ada"))
}

func TestConnections(t *testing.T) {
	t.Parallel()
	o := observer(t)
	for _, err := range []error{
		nil, &sshexec.ConnectError{Stage: sshexec.StageAuth, Err: errors.New("refused")},
		&sshexec.ConnectError{Stage: sshexec.StageHandshake, Err: &sshexec.HostKeyError{}}, errors.New("another"),
	} {
		o.Observe(forge.Observation{Type: forge.ObservedConnect, Took: time.Second, Err: err})
	}
	require.Equal(t, []string{
		"forge.ssh.connect.duration{} 1 in 1s",
		"forge.ssh.errors{stage=authentication} 1",
		"forge.ssh.errors{stage=host key} 1",
		"forge.ssh.errors{stage=other} 1",
	}, o.values())
}

// TestGaugesAreReadFromTheStore asks for a server that nobody works on.
func TestGaugesAreReadFromTheStore(t *testing.T) {
	t.Parallel()
	o := observer(t)
	f, err := forge.New(forge.Config{Store: memory.New(memory.Config{}), Observe: o.Observe, Providers: map[string]provider.Provider{
		"cloud": providertest.NewFake(providertest.FakeConfig{}),
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	stop, err := o.Watch(f)
	require.NoError(t, err)
	_, action, err := f.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"forge.actions.asked{kind=create_server} 1",
		"forge.actions.asked{kind=provision_server} 1",
		"forge.actions.open{kind=create_server,state=pending} 1",
		"forge.actions.open{kind=provision_server,state=pending} 1",
		"forge.ssh.connections{} 0",
		"forge.ssh.sessions{} 0",
	}, o.values())
	require.NoError(t, f.Actions.Cancel(context.WithoutCancel(t.Context()), action.ID))
	require.Contains(t, o.values(), "forge.actions.ended{kind=provision_server,outcome=cancelled,reason=} 1")
	require.NotContains(t, fmt.Sprint(o.values()), "actions.open")
	require.NoError(t, stop())
	require.NotContains(t, fmt.Sprint(o.values()), "connections")
}

// silentStore never answers.
type silentStore struct{ forge.Store }

func (silentStore) View(ctx context.Context, _ func(forge.Tx) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSilentStoreCostsItsGaugeAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := observer(t)
		f, err := forge.New(forge.Config{Store: silentStore{memory.New(memory.Config{})}})
		require.NoError(t, err)
		defer func() { require.NoError(t, f.Close()) }()
		_, err = o.Watch(f)
		require.NoError(t, err)
		var all metricdata.ResourceMetrics
		began := time.Now()
		require.ErrorIs(t, o.reader.Collect(t.Context(), &all), context.DeadlineExceeded)
		require.Less(t, time.Since(began), 10*time.Second)
		var names []string
		for _, m := range all.ScopeMetrics[0].Metrics {
			names = append(names, m.Name)
		}
		require.ElementsMatch(t, []string{"forge.ssh.connections", "forge.ssh.sessions"}, names)
	})
}
