package chunk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/logchunk"
	"github.com/seed-797f2c2c/forge/store/internal/chunk"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	lines := []forge.Line{
		{Number: 3, Time: at, Type: forge.LineOutput, Text: "out"},
		{Number: 4, Time: at.Add(-time.Hour), Type: forge.LineError, Text: ""},
		{Number: 5, Time: at, Type: forge.LineSystem, Text: "ünïcödé"},
		{Number: 6, Time: at},
	}
	data, err := chunk.Encode(lines)
	require.NoError(t, err)
	got, err := chunk.Decode(data)
	require.NoError(t, err)
	require.Equal(t, lines, got)
}

func TestUnknownType(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, chunk.Check(forge.Line{Type: "other"}), forge.ErrInvalid)
	require.NoError(t, chunk.Check(forge.Line{Type: forge.LineSystem}))
	_, err := chunk.Encode([]forge.Line{{Type: "other"}})
	require.ErrorIs(t, err, forge.ErrInvalid)

	data, err := logchunk.Encode([]logchunk.Line{{Type: 'x'}})
	require.NoError(t, err)
	_, err = chunk.Decode(data)
	require.ErrorIs(t, err, logchunk.ErrCorrupt)
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	_, err := chunk.Encode(make([]forge.Line, logchunk.MaxLines+1))
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.ErrorIs(t, err, logchunk.ErrTooLarge)
}
