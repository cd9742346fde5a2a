package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/standard"
)

// otherChild is what children do on Linux alone.
func otherChild(ctx context.Context, role, dir string) error {
	name, argument, _ := strings.Cut(role, " ")
	switch name {
	case "tmpfs":
		var segment, size int
		if _, err := fmt.Sscan(argument, &segment, &size); err != nil {
			return err
		}
		return tmpfsChild(ctx, dir, int64(segment), size)
	case "handles":
		return handlesChild(ctx, dir)
	}
	return fmt.Errorf("no role %q", role)
}

// tmpfsChild fills a file system of its own, which nobody else sees and which
// ends with it.
func tmpfsChild(ctx context.Context, dir string, segment int64, size int) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		say("skip mounting a tmpfs: %v", err)
		return nil
	}
	open := func() (queue.Store, error) {
		return filestore.Open(ctx, filepath.Join(dir, "store"), filestore.Options{SegmentSize: segment})
	}
	first, second, err := useWhileFull(ctx, open, size)
	if err != nil {
		return fmt.Errorf("after %d and %d messages: %w", first, second, err)
	}
	say("room %d %d", first, second)
	return nil
}

// On a real file system of 32 MiB: a named error when it is full, then receive
// and delete to zero while it is full, then sends work again.
func TestFullTmpfs(t *testing.T) {
	for _, c := range []struct {
		segment  int64
		size     int
		atLeast  int // messages, the first time
		optional bool
	}{
		{64 << 10, 1000, 12_000, false},
		{1 << 20, 1000, 12_000, false},
		{1 << 20, 200_000, 60, false},
		{0, 1000, 1, false}, // segments of 16 MiB: there is little choice
	} {
		t.Run(fmt.Sprintf("segment=%d/size=%d", c.segment, c.size), func(t *testing.T) {
			cmd := child(t.Context(), fmt.Sprintf("tmpfs %d %d", c.segment, c.size), t.TempDir())
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			if os.Getuid() != 0 {
				cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			}
			out, err := cmd.CombinedOutput()
			reason := ""
			if _, after, ok := strings.Cut(string(out), "@skip "); ok {
				reason, _, _ = strings.Cut(after, "\n")
			} else if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
				reason = err.Error()
			}
			if reason != "" {
				if os.Getenv("RESTANTE_CI") == "1" {
					t.Fatalf("CI must run this test: %s", reason)
				}
				t.Skipf("it needs root, or a user namespace: %s", reason)
			}
			require.NoError(t, err, "%s", out)
			var first, second int
			_, after, _ := strings.Cut(string(out), "@room ")
			_, err = fmt.Sscan(after, &first, &second)
			require.NoError(t, err, "%s", out)
			t.Logf("room for %d messages, and then for %d", first, second)
			assert.GreaterOrEqual(t, first, c.atLeast)
			assert.GreaterOrEqual(t, second, first*3/4)
		})
	}
}

// How many queues a process with few file handles can have.
const manyQueues = 5000

// handlesChild may open 256 files, and uses 5,000 queues.
func handlesChild(ctx context.Context, dir string) error {
	limit := syscall.Rlimit{Cur: 256, Max: 256}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	for round := range 2 {
		st, err := filestore.Open(ctx, dir, filestore.Options{SegmentSize: 64 << 10})
		if err != nil {
			return err
		}
		queues := make([]*standard.Queue, manyQueues)
		if err := each(func(i int) (err error) {
			queues[i], err = standard.Open(ctx, st, queue.Config{Name: fmt.Sprintf("queue-%d", i)})
			if err != nil {
				return err
			}
			if round == 0 {
				_, err = queues[i].Send(ctx, queue.Message{Body: fmt.Sprintf("letter to %d%s", i, strings.Repeat(".", 700))})
				return err
			}
			got, err := queues[i].Receive(ctx, queue.ReceiveOptions{})
			if err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Body, fmt.Sprintf("letter to %d.", i)) {
				return fmt.Errorf("queue %d has %d messages: %w", i, len(got), err)
			}
			return queues[i].Delete(ctx, got[0].Receipt)
		}); err != nil {
			return err
		}
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		say("handles %d", len(open))
		if err := each(func(i int) error { return queues[i].Close() }); err != nil {
			return err
		}
		if err := st.Close(); err != nil {
			return err
		}
	}
	return nil
}

// each calls f for each queue, for many at a time so that they share syncs.
func each(f func(int) error) error {
	var work sync.WaitGroup
	errs := make([]error, 100)
	for w := range errs {
		work.Go(func() { // waited for below
			for i := w; i < manyQueues && errs[w] == nil; i += len(errs) {
				errs[w] = f(i)
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// A process that may open 256 files can have 5,000 queues.
func TestFewFileHandles(t *testing.T) {
	out, err := child(t.Context(), "handles", filepath.Join(t.TempDir(), "store")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		if n, ok := strings.CutPrefix(line, "@handles "); ok {
			t.Logf("%s open files", strings.TrimSpace(n))
		}
	}
}
