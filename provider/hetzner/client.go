package hetzner

import (
	"net/http"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// perHour is how many requests the vendor gives back in an hour, where its answers do
// not say another number.
const perHour = 3600

// newClient makes a client whose retries are those of cloud.Transport alone: those of
// hcloud would send an order again.
func newClient(cfg Config) *hcloud.Client {
	return hcloud.NewClient(
		hcloud.WithToken(cfg.Token.Reveal()),
		hcloud.WithEndpoint(cfg.Endpoint),
		hcloud.WithApplication("forge", ""),
		hcloud.WithRetryOpts(hcloud.RetryOpts{MaxRetries: 0}),
		hcloud.WithHTTPClient(cloud.NewClient(&cloud.Transport{
			Base:    cfg.Transport,
			Limiter: cloud.NewLimiter(cloud.Limits{Every: time.Hour / perHour}),
			Budget:  left,
		})),
	)
}

// left reads what an answer says of the rate limit. The time in it is when all
// requests are back; they come back one by one.
func left(resp *http.Response) (left int, next time.Time, ok bool) {
	left, err := strconv.Atoi(resp.Header.Get("RateLimit-Remaining"))
	if err != nil {
		return 0, time.Time{}, false
	}
	limit, err := strconv.Atoi(resp.Header.Get("RateLimit-Limit"))
	if err != nil || limit <= 0 {
		limit = perHour
	}
	return left, time.Now().Add(time.Hour / time.Duration(limit)), true
}
