package hetzner

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/seed-797f2c2c/forge/provider"
)

// The labels of what forge made.
const (
	markLabel = "forge"    // has the Namespace
	idLabel   = "forge-id" // has the Spec.ID
)

var (
	labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	labelKey   = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
)

const labelValueRule = "1 to 63 letters, digits, dashes, underscores and dots, with a letter or digit at both ends"

// checkLabels checks the labels of a spec by the vendor's rules.
func checkLabels(labels map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == markLabel || key == idLabel:
			return fmt.Errorf("%w: label %q is forge's own", provider.ErrInvalid, key)
		case !labelKey.MatchString(key):
			return fmt.Errorf("%w: the name of label %q must be %s, perhaps behind a prefix and a slash", provider.ErrInvalid, key, labelValueRule)
		case labels[key] != "" && !labelValue.MatchString(labels[key]):
			return fmt.Errorf("%w: the value of label %q must be empty or %s", provider.ErrInvalid, key, labelValueRule)
		}
	}
	return nil
}

// mark returns labels with those of forge for a Spec.ID.
func (p *Provider) mark(labels map[string]string, specID string) map[string]string {
	marked := maps.Clone(labels)
	if marked == nil {
		marked = make(map[string]string)
	}
	marked[markLabel], marked[idLabel] = p.cfg.Namespace, specID
	return marked
}

// marked returns the Spec.ID that labels name, and whether they are forge's.
func (p *Provider) marked(labels map[string]string) (specID string, ours bool) {
	specID = labels[idLabel]
	return specID, specID != "" && labels[markLabel] == p.cfg.Namespace
}

// selector is that of everything that forge made, or of what it made for an id.
func (p *Provider) selector(specID string) string {
	all := markLabel + "==" + p.cfg.Namespace + "," + idLabel
	if specID == "" {
		return all
	}
	return all + "==" + specID
}
