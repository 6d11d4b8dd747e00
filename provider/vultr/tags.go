package vultr

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/provider"
)

// The tags that forge's instances bear. A tag is a text; forge's are "key=value", with
// what a tag might not bear written as in a URL.
const (
	markTag = "forge"    // the namespace
	idTag   = "forge-id" // Spec.ID
)

func tag(key, value string) string { return url.QueryEscape(key) + "=" + url.QueryEscape(value) }

// tags are those of the embedder and forge's, which nobody else sets.
func (p *Provider) tags(spec provider.Spec) []string {
	tags := []string{tag(markTag, p.cfg.Namespace), tag(idTag, spec.ID)}
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		if key != markTag && key != idTag {
			tags = append(tags, tag(key, spec.Labels[key]))
		}
	}
	return tags
}

// labels reads tags. Those that somebody added by hand, in whatever form, are none.
func labels(tags []string) map[string]string {
	all := make(map[string]string)
	for _, text := range tags {
		k, v, ok := strings.Cut(text, "=")
		key, badKey := url.QueryUnescape(k)
		value, badValue := url.QueryUnescape(v)
		if ok && badKey == nil && badValue == nil {
			all[key] = value
		}
	}
	return all
}

// ours reports whether an instance bears forge's mark, and that of an id, if one is given.
func (p *Provider) ours(i *govultr.Instance, specID string) bool {
	l := labels(i.Tags)
	return l[markTag] == p.cfg.Namespace && l[idTag] != "" && (specID == "" || l[idTag] == specID)
}
