package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

func runTool(args ...string) (status int, out, errs string) {
	var o, e strings.Builder
	status = run(context.Background(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestTool(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := filestore.Open(t.Context(), dir, filestore.Options{SegmentSize: 64 << 10})
	require.NoError(t, err)
	r, err := s.Attach(t.Context(), "orders", queue.FIFO)
	require.NoError(t, err)
	for seq := uint64(1); seq <= 100; seq++ {
		c, err := s.Append(&queue.Batch{Changes: []queue.Change{{Queue: r.Queue, Insert: []queue.Record{
			{Seq: seq, ID: queue.MessageID{1}, Message: queue.Message{Body: "number " + strings.Repeat("x", int(seq))}},
		}}}})
		require.NoError(t, err)
		require.NoError(t, s.Wait(c, queue.Durable))
	}
	status, _, errs := runTool("inspect", dir)
	assert.Equal(t, 1, status)
	assert.Contains(t, errs, "in use")
	require.NoError(t, s.Close())

	for _, command := range []string{"inspect", "verify"} {
		status, out, errs := runTool(command, dir)
		assert.Equal(t, 0, status, errs)
		assert.Contains(t, out, `"orders"`)
		assert.Contains(t, out, "No damage found.")
	}

	// Damage in the middle of the log.
	path := filepath.Join(dir, "0000000000000001.seg")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	at := strings.Index(string(b), "number "+strings.Repeat("x", 50))
	b[at] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	status, out, _ := runTool("verify", dir)
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "0000000000000001.seg, offset")

	saved := filepath.Join(t.TempDir(), "saved")
	status, out, _ = runTool("salvage", dir, saved)
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "is corrupt")
	status, out, errs = runTool("verify", saved)
	assert.Equal(t, 0, status, errs)
	assert.Regexp(t, `99 +99 +101 +"orders"`, out)

	status, _, errs = runTool("repair")
	assert.Equal(t, 2, status)
	assert.Contains(t, errs, "usage:")
}
