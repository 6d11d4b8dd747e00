package cloud_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	base := new(http.Transport)
	t.Cleanup(base.CloseIdleConnections)
	client := cloud.NewClient(&cloud.Transport{Base: base, Limiter: cloud.NewLimiter(cloud.Limits{Every: time.Second})})

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/servers", http.NoBody)
	require.NoError(t, err)
	resp, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	require.Equal(t, "POST /servers", <-asked)
	require.Empty(t, asked)
	require.Equal(t, time.Minute, client.Timeout)
}
