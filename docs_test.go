package forge_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var namedTest = regexp.MustCompile("`(?:([a-z0-9/]+) )?((?:Test|Example)[A-Za-z0-9_]*)`")

// The page about the plan names tests, all of which there are.
func TestPlanCoverageNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/PLAN_COVERAGE.md")
	require.NoError(t, err)
	named := namedTest.FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 100)
	sources := map[string]string{}
	for _, m := range named {
		folder := filepath.Join(".", m[1])
		if _, read := sources[folder]; !read {
			sources[folder] = testSources(t, folder)
		}
		require.Contains(t, sources[folder], "\nfunc "+m[2]+"(", "%s in %s", m[2], folder)
	}
}

func testSources(t *testing.T, folder string) string {
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}
