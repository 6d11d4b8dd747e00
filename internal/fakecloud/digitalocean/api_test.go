package digitalocean_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
)

// ask sends a request, whose answer has to be by the description.
func ask(t *testing.T, api *fake.API, method, path, body string) (status int, header http.Header, text string) {
	t.Helper()
	description, err := fake.Description()
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, "https://api.digitalocean.com"+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer token")
	r.Header.Set("Content-Type", "application/json")
	way := &fakecloud.Transport{Handler: api, Check: description.Checker(t)} //nolint:bodyclose // it is a check of the answer, and no answer
	resp, err := way.RoundTrip(r)
	require.NoError(t, err)
	read, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.Header, string(read)
}

const order = `{"name": "web-1", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": ["Web"]}`

func TestLifecycle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := fake.New(fake.Config{Boot: 20 * time.Second, Work: 5 * time.Second, Dying: 3 * time.Second, Missing: 1})
		status, _, text := ask(t, api, "POST", "/v2/droplets", order)
		require.Equal(t, http.StatusAccepted, status)
		require.Contains(t, text, `"status":"new"`)
		path := "/v2/droplets/" + strconv.Itoa(api.Droplets()[0].ID)

		status, _, _ = ask(t, api, "GET", path, "")
		require.Equal(t, http.StatusNotFound, status)
		status, _, text = ask(t, api, "POST", path+"/actions", `{"type": "power_off"}`)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, text, "pending event")
		time.Sleep(20 * time.Second)
		_, _, text = ask(t, api, "GET", path, "")
		require.Contains(t, text, `"status":"active"`)
		require.Contains(t, text, `"ip_address":"198.18.0.`)

		_, _, text = ask(t, api, "POST", path+"/actions", `{"type": "power_off"}`)
		require.Contains(t, text, `"status":"in-progress"`)
		time.Sleep(5 * time.Second)
		require.Equal(t, "off", api.Droplets()[0].Status)

		status, _, _ = ask(t, api, "DELETE", path, "")
		require.Equal(t, http.StatusNoContent, status)
		require.Len(t, api.Droplets(), 1)
		time.Sleep(3 * time.Second)
		require.Empty(t, api.Droplets())
		status, _, _ = ask(t, api, "DELETE", path, "")
		require.Equal(t, http.StatusNotFound, status)
	})
}

// TestTags has a tag keep the capitals that it was made with.
func TestTags(t *testing.T) {
	t.Parallel()
	api := fake.New(fake.Config{})
	ask(t, api, "POST", "/v2/tags", `{"name": "WEB"}`)
	_, _, text := ask(t, api, "POST", "/v2/droplets", order)
	require.Contains(t, text, `"tags":["WEB"]`)
	_, _, text = ask(t, api, "GET", "/v2/droplets?tag_name=WEB", "")
	require.Contains(t, text, `"total":1`)
	_, _, text = ask(t, api, "GET", "/v2/droplets?tag_name=Web", "")
	require.Contains(t, text, `"total":0`)
}

func TestPages(t *testing.T) {
	t.Parallel()
	api := fake.New(fake.Config{})
	for range 45 {
		api.AddDroplet("web")
	}
	for path, want := range map[string]struct{ shown, next, prev int }{
		"/v2/droplets":                    {20, 2, 0},
		"/v2/droplets?page=2":             {20, 3, 1},
		"/v2/droplets?page=3":             {5, 0, 2},
		"/v2/droplets?page=4":             {0, 0, 3},
		"/v2/droplets?per_page=45":        {45, 0, 0},
		"/v2/droplets?per_page=44&page=2": {1, 0, 1},
	} {
		_, _, text := ask(t, api, "GET", path, "")
		require.Equal(t, want.shown, strings.Count(text, `"created_at":"`)/2, path)
		require.Equal(t, want.next > 0, strings.Contains(text, `"next":"`), path)
		require.Equal(t, want.prev > 0, strings.Contains(text, `"prev":"`), path)
		require.Contains(t, text, `"total":45`)
	}
}

// TestRates has each request count for a whole hour, and for a minute.
func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := fake.New(fake.Config{PerHour: 5, PerMinute: 3})
		get := func() (status int, header http.Header) {
			status, header, _ = ask(t, api, "GET", "/v2/regions", "")
			return status, header
		}
		for left := range 3 {
			_, header := get()
			require.Equal(t, strconv.Itoa(4-left), header.Get("Ratelimit-Remaining"))
		}
		status, header := get()
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "60", header.Get("Retry-After"))
		require.Equal(t, "0", header.Get("Ratelimit-Remaining"))
		time.Sleep(time.Minute)
		status, _ = get()
		require.Equal(t, http.StatusOK, status)
		status, _ = get()
		require.Equal(t, http.StatusOK, status)
		status, header = get()
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Empty(t, header.Get("Retry-After"), "the hour is used up, not the minute")
		reset, err := strconv.ParseInt(header.Get("Ratelimit-Reset"), 10, 64)
		require.NoError(t, err)
		time.Sleep(time.Until(time.Unix(reset, 0)))
		status, _ = get()
		require.Equal(t, http.StatusOK, status)
	})
}

// TestKeyLists has the list of keys bear ten questions in a minute.
func TestKeyLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := fake.New(fake.Config{})
		for range 10 {
			status, _, _ := ask(t, api, "GET", "/v2/account/keys", "")
			require.Equal(t, http.StatusOK, status)
		}
		status, _, _ := ask(t, api, "GET", "/v2/account/keys", "")
		require.Equal(t, http.StatusTooManyRequests, status)
		status, _, _ = ask(t, api, "GET", "/v2/regions", "")
		require.Equal(t, http.StatusOK, status)
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	api := fake.New(fake.Config{Scopes: []string{"droplet:create"}, Droplets: 1})
	status, _, _ := ask(t, api, "GET", "/v2/droplets", "")
	require.Equal(t, http.StatusForbidden, status)
	for change, want := range map[string]string{
		`"fra1"=>"mars1"`: "invalid region", `"fra1"=>"ams2"`: "Region is not available", `"s-1vcpu-1gb"=>"huge"`: "invalid size",
		`"s-1vcpu-1gb"=>"s-1vcpu-3gb"`: "Size is not available", `"debian-12-x64"=>"plan-9"`: "invalid image", `"Web"=>"a b"`: "Tag name",
		`"debian-12-x64"=>"fedora-42-x64"`: "not available in the selected region",
	} {
		from, to, _ := strings.Cut(change, "=>")
		status, _, text := ask(t, api, "POST", "/v2/droplets", strings.Replace(order, from, to, 1))
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, text, want)
	}
	status, _, _ = ask(t, api, "POST", "/v2/droplets", order)
	require.Equal(t, http.StatusAccepted, status)
	_, _, text := ask(t, api, "POST", "/v2/droplets", order)
	require.Contains(t, text, "droplet limit")
	require.Equal(t, 1, api.Made())
}
