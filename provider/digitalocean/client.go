package digitalocean

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

// perHour and perMinute are the vendor's limits. Its answers tell what is left of the
// first.
const perHour, perMinute = 5000, 250

// newClient makes a client whose retries are those of cloud.Transport alone: godo's
// own would send an order again.
func newClient(cfg Config, endpoint *url.URL) *godo.Client {
	client := godo.NewClient(cloud.NewClient(&bearer{cfg.Token, &cloud.Transport{
		Base: cfg.Transport,
		Limiter: cloud.NewLimiter(cloud.Limits{
			Every:   time.Hour / perHour,
			Windows: []cloud.Window{{N: perMinute, Per: time.Minute}},
		}),
		Budget: left,
	}}))
	client.BaseURL = endpoint.JoinPath("/")
	client.UserAgent = "forge " + client.UserAgent
	return client
}

// bearer adds the token to requests.
type bearer struct {
	token secret.Secret
	base  http.RoundTripper
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token.Reveal())
	return b.base.RoundTrip(r)
}

// left reads what an answer says of the rate limit.
func left(resp *http.Response) (left int, next time.Time, ok bool) {
	left, err := strconv.Atoi(resp.Header.Get("ratelimit-remaining"))
	if err != nil {
		return 0, time.Time{}, false
	}
	reset, err := strconv.ParseInt(resp.Header.Get("ratelimit-reset"), 10, 64)
	if err != nil {
		return 0, time.Time{}, false
	}
	return left, time.Unix(reset, 0), true // when the oldest request counts no more
}
