package digitalocean

import (
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// maxTag is the vendor's limit.
const maxTag = 255

var fingerprint = regexp.MustCompile(`^([0-9a-f]{2}:){15}[0-9a-f]{2}$`)

// idTag is the tag of what forge made for an id.
func (p *Provider) idTag(specID string) string { return p.cfg.Namespace + ":id:" + encode(specID) }

// keyTag names the key that a droplet was made with.
func (p *Provider) keyTag(fingerprint string) string { return p.cfg.Namespace + ":key:" + fingerprint }

// firewallTag is on a firewall and on the droplets that it applies to.
func (p *Provider) firewallTag(id string) string { return p.cfg.Namespace + ":firewall:" + id }

// marked returns the Spec.ID that tags name, and whether they are forge's.
func (p *Provider) marked(tags []string) (specID string, ours bool) {
	if !slices.Contains(tags, p.cfg.Namespace) {
		return "", false
	}
	for _, tag := range tags {
		if text, ok := strings.CutPrefix(tag, p.cfg.Namespace+":id:"); ok {
			return decode(text)
		}
	}
	return "", false
}

// keyOf returns the fingerprint of the key that a droplet was made with.
func (p *Provider) keyOf(tags []string) (string, bool) {
	for _, tag := range tags {
		if text, ok := strings.CutPrefix(tag, p.cfg.Namespace+":key:"); ok && fingerprint.MatchString(text) {
			return text, true
		}
	}
	return "", false
}

// labelTags are the tags of labels. A label without a value is a tag of its name.
func (p *Provider) labelTags(labels map[string]string) ([]string, error) {
	var tags []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		tag := encode(name)
		if labels[name] != "" {
			tag += ":" + encode(labels[name])
		}
		switch {
		case name == "" || name == p.cfg.Namespace:
			return nil, fmt.Errorf("%w: label %q: the name must be neither empty nor %q, which is forge's own", provider.ErrInvalid, name, p.cfg.Namespace)
		case len(tag) > maxTag:
			return nil, fmt.Errorf("%w: label %q: its tag %q must be at most %d characters", provider.ErrInvalid, name, tag, maxTag)
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// labels are those that tags stand for. Other tags are none.
func (p *Provider) labels(tags []string) map[string]string {
	labels := make(map[string]string)
	for _, tag := range tags {
		name, value, _ := strings.Cut(tag, ":")
		if name == p.cfg.Namespace {
			continue
		}
		name, nameOK := decode(name)
		value, valueOK := decode(value)
		if nameOK && valueOK {
			labels[name] = value
		}
	}
	return labels
}

// encode writes a text in characters that a tag has, and in which capitals do not
// matter: a tag has those with which its name was first used in the account.
func encode(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteString("_" + hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

// decode reads what encode wrote, and reports whether that is what it is.
func decode(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '_' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 > len(text) {
			return "", false
		}
		c, err := hex.DecodeString(text[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), encode(b.String()) == text
}

func plain(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }
