package hetzner

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
)

//go:embed openapi.json
var document []byte

// Description returns the description of the vendor's API, which is read once.
var Description = sync.OnceValues(func() (*fakecloud.Description, error) {
	var doc object
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the API description: %w", err)
	}
	amend(doc)
	amended, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return fakecloud.ParseDescription(amended)
})

// amend brings the description up to the API. It fails by a panic where the
// description has not what is to be amended.
func amend(doc object) {
	schemas := at(doc, "components", "schemas")

	// Data centers were removed on 1 July 2026: no server has one any more, and
	// none can be asked for.
	server := at(schemas, "server")
	server["required"] = slices.DeleteFunc(server["required"].([]any), func(name any) bool { return name == "datacenter" })
	delete(at(server, "properties"), "datacenter")
	ask := at(schemas, "create_server_request")
	delete(at(ask, "properties"), "datacenter")
	ask["additionalProperties"] = false

	// Ids go as numbers too: the texts of the description and the vendor's own
	// clients say so.
	idOrName := object{"oneOf": []any{object{"type": "string"}, object{"type": "integer", "format": "int64"}}}
	at(ask, "properties")["image"] = idOrName
	at(ask, "properties", "ssh_keys")["items"] = idOrName
	at(schemas, "rebuild_server_from_image_request", "properties")["image"] = idOrName

	// A server type has locations with what is available there.
	location := at(schemas, "server_type_location")
	at(location, "properties")["available"] = object{"type": "boolean"}
	location["required"] = append(location["required"].([]any), "available")

	// OpenAPI writes ranges of statuses in capitals.
	for _, item := range at(doc, "paths") {
		for _, operation := range item.(object) {
			responses := at(operation.(object), "responses")
			for status, response := range responses {
				delete(responses, status)
				responses[strings.ToUpper(status)] = response
			}
		}
	}
}

func at(o object, keys ...string) object {
	for _, key := range keys {
		o = o[key].(object)
	}
	return o
}
