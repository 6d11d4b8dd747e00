package owner_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/owner"
)

func TestGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	dead := exec.CommandContext(t.Context(), "true")
	require.NoError(t, dead.Run())
	for mark, gone := range map[string]bool{
		owner.Self():                            false,
		strconv.Itoa(os.Getpid()) + "-1":        true, // another's, before the id was used again
		strconv.Itoa(dead.Process.Pid) + "-1":   true,
		strconv.Itoa(os.Getpid()):               true,
		"":                                      true,
		"-":                                     true,
		"somebody-" + strconv.Itoa(os.Getpid()): true,
	} {
		require.Equal(t, gone, owner.Gone(mark), mark)
	}
}
