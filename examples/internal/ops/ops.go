// Package ops is what the examples with several processes show to those who
// operate them: whether a process lives, whether it is ready, and its metrics.
package ops

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/observe/otel"
)

// Metrics are exported to Prometheus. Its Observe is for forge.Config.
type Metrics struct {
	*otel.Observer
	registry *prometheus.Registry
}

// NewMetrics makes metrics of what forge does and of the connections to the
// database. Traces go to OpenTelemetry's global provider.
func NewMetrics(db *pgxpool.Pool) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	export, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	meters := sdk.NewMeterProvider(sdk.WithReader(export))
	_, err = meters.Meter("pgxpool").Int64ObservableGauge("db.client.connection.count",
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			held := db.Stat()
			o.Observe(int64(held.IdleConns()), metric.WithAttributes(attribute.String("state", "idle")))
			o.Observe(int64(held.AcquiredConns()), metric.WithAttributes(attribute.String("state", "used")))
			return nil
		}))
	if err != nil {
		return nil, err
	}
	observer, err := otel.New(otel.Config{Meters: meters})
	return &Metrics{observer, registry}, err
}

// Handle adds /healthz, /readyz and /metrics: the process lives, and the store
// answers it.
func (m *Metrics) Handle(mux *http.ServeMux, f *forge.Forge) error {
	if _, err := m.Watch(f); err != nil {
		return err
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if _, err := f.Servers.List(ctx, forge.ServerFilter{}, forge.Page{Limit: 1}); err != nil {
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return nil
}

// Serve answers until ctx is done, and then finishes what it has begun; streams
// end at once.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := server.Shutdown(end)
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}
