package digitalocean

import (
	_ "embed"
	"sync"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
)

//go:embed openapi.json
var document []byte

// Description returns the vendor's description of its API, which is read once.
var Description = sync.OnceValues(func() (*fakecloud.Description, error) {
	return fakecloud.ParseDescription(document)
})
