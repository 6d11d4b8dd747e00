package sitectl_test

import (
	"testing"

	"github.com/seed-797f2c2c/forge/internal/servertest"
)

func TestMain(m *testing.M) { servertest.Main(m) }
