// Command trim makes a small copy of an API's OpenAPI description: some of its
// operations and what they refer to, without examples and texts.
//
//	go run ./internal/fakecloud/trim -in api.yaml -out api.json 'GET /servers' 'POST /servers' …
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	log.SetFlags(0)
	in := flag.String("in", "", "the whole `description`, in YAML or JSON")
	out := flag.String("out", "", "the `file` to write, in JSON")
	flag.Parse()
	if err := run(*in, *out, flag.Args()); err != nil {
		log.Fatal("trim: ", err)
	}
}

func run(in, out string, operations []string) error {
	text, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var whole map[string]any
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return err
	}
	small, err := trim(whole, operations)
	if err != nil {
		return err
	}
	text, err = json.MarshalIndent(small, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644) //nolint:gosec // it is part of the source
}

// trim copies what the document is about, the operations, and the components that
// these refer to.
func trim(whole map[string]any, operations []string) (map[string]any, error) {
	info, _ := whole["info"].(map[string]any)
	small := map[string]any{
		"openapi": whole["openapi"],
		"info":    map[string]any{"title": info["title"], "version": info["version"]},
		"servers": bare(whole["servers"], false),
	}
	paths := make(map[string]any)
	for _, operation := range operations {
		method, path, _ := strings.Cut(operation, " ")
		item, ok := at(whole, "paths", path)
		if !ok {
			return nil, fmt.Errorf("there is no path %q", path)
		}
		verb := strings.ToLower(method)
		body, ok := item[verb].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("there is no operation %q", operation)
		}
		kept, ok := paths[path].(map[string]any)
		if !ok {
			kept = make(map[string]any)
			paths[path] = kept
			if shared, ok := item["parameters"]; ok {
				kept["parameters"] = bare(shared, false)
			}
		}
		delete(body, "security")
		kept[verb] = bare(body, false)
	}
	small["paths"] = paths
	components := make(map[string]any)
	if err := follow(whole, paths, components); err != nil {
		return nil, err
	}
	small["components"] = components
	return small, nil
}

// follow copies the components that a part of the document refers to, and those
// that these refer to.
func follow(whole map[string]any, part any, components map[string]any) error {
	switch v := part.(type) {
	case []any:
		for _, inner := range v {
			if err := follow(whole, inner, components); err != nil {
				return err
			}
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			return component(whole, ref, components)
		}
		for _, inner := range v {
			if err := follow(whole, inner, components); err != nil {
				return err
			}
		}
	}
	return nil
}

func component(whole map[string]any, ref string, components map[string]any) error {
	parts := strings.Split(ref, "/")
	if len(parts) != 4 || parts[0] != "#" || parts[1] != "components" {
		return fmt.Errorf("%q does not refer to a component of the document", ref)
	}
	kind, name := parts[2], parts[3]
	kept, ok := components[kind].(map[string]any)
	if !ok {
		kept = make(map[string]any)
		components[kind] = kept
	}
	if _, ok := kept[name]; ok {
		return nil
	}
	found, ok := at(whole, "components", kind, name)
	if !ok {
		return errors.New("there is no " + ref)
	}
	kept[name] = bare(found, false)
	return follow(whole, kept[name], components)
}

func at(v map[string]any, keys ...string) (map[string]any, bool) {
	for _, key := range keys {
		inner, ok := v[key].(map[string]any)
		if !ok {
			return nil, false
		}
		v = inner
	}
	return v, true
}

// texts say nothing to a program.
var texts = []string{"description", "summary", "title", "example", "examples", "tags", "externalDocs", "operationId", "links", "discriminator"}

// bare copies a part of a document without its texts. In a map of names, such as
// the properties of a schema, any key is a name.
func bare(part any, names bool) any {
	switch v := part.(type) {
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = bare(inner, false)
		}
		return list
	case map[string]any:
		kept := make(map[string]any, len(v))
		for key, inner := range v {
			kept[key] = bare(inner, key == "properties" && !names)
		}
		if names {
			return kept
		}
		for _, key := range texts {
			delete(kept, key)
		}
		if all, ok := kept["allOf"].([]any); ok {
			// One that had a text alone allows anything, which some take for anything but null.
			kept["allOf"] = slices.DeleteFunc(all, func(s any) bool { m, ok := s.(map[string]any); return ok && len(m) == 0 })
		}
		for key := range kept {
			if strings.HasPrefix(key, "x-") {
				delete(kept, key)
			}
		}
		return kept
	}
	return part
}
