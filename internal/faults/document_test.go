package faults

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

var update = flag.Bool("update", false, "write what was seen to docs/FAULTS.md")

const document = "../../docs/FAULTS.md"

// compare holds what was seen against the document, or writes that.
func compare(t *testing.T, seen string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(seen), 0o644))
		return
	}
	told, err := os.ReadFile(document)
	require.NoError(t, err)
	require.Equal(t, string(told), seen, "docs/FAULTS.md is not what was seen; -update writes it")
}

const introduction = `# Every job by every fault

What becomes of each job when something goes wrong, as a test sees it on real
machines: ` + "`go test ./internal/faults`" + ` fails when it is not what this page says,
and with ` + "`-update`" + ` writes the page.

No job is stuck: each ends within its timeout. None is silent: what failed says
so in ` + "`Action.Failure`" + `, with reason, stage and message, and in its log. After
each fault that passes the server works on, and what failed can be asked for again;
an install goes on with ` + "`Servers.Retry`" + `.

|`

// render writes the document.
func render(columns []*column) string {
	kinds := []forge.Kind{forge.KindProvision, forge.KindInstallStack}
	for _, j := range everyJob() {
		kinds = append(kinds, j.kind)
	}
	var b strings.Builder
	b.WriteString(introduction)
	for _, c := range columns {
		b.WriteString(" | " + c.name)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(columns)) + "|\n")
	classes := map[forge.Reason]string{}
	for _, kind := range kinds {
		fmt.Fprintf(&b, "| `%s`", kind)
		for _, c := range columns {
			b.WriteString(" | " + c.cells[kind].text)
			if seen := c.cells[kind]; seen.class != "" {
				classes[seen.reason] = seen.class
			}
		}
		b.WriteString(" |\n")
	}
	b.WriteString("\nThe error of what failed is, by its reason, of this class:\n\n| reason | class |\n|---|---|\n")
	for _, reason := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(&b, "| %s | `%s` |\n", reason, classes[reason])
	}
	b.WriteString("\n## The faults\n\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.name, c.what)
	}
	return b.String()
}
