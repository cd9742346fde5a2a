package sqlitestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// smallDisk makes a file system of that size, where the test may mount one.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a full disk takes mounting one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp sends until the store has no room, and returns how many went in.
func fillUp(t *testing.T, q queue.Queue, body string) int {
	t.Helper()
	for n := 0; ; n++ {
		_, err := q.Send(context.Background(), queue.Message{Body: body})
		if errors.Is(err, queue.ErrStoreFull) {
			return n
		}
		require.NoError(t, err, "message %d", n)
	}
}

// A full disk refuses new messages, and nothing else; when messages were deleted,
// or others have made room, they are accepted again.
func TestFullDisk(t *testing.T) {
	if withRace {
		t.Skip("too slow with the race detector")
	}
	ctx := context.Background()
	dir := smallDisk(t, "24m")
	s := openAt(t, filepath.Join(dir, "test.db"), Options{Reserve: 6 << 20})
	q, err := openQueue(ctx, s, queue.Config{Name: "q", VisibilityTimeout: time.Hour})
	require.NoError(t, err)
	defer q.Close()
	outbox, err := s.WithOutbox(ctx, q)
	require.NoError(t, err)
	body := strings.Repeat("x", 4000)
	n := fillUp(t, q, body)
	require.Greater(t, n, 500)
	info, err := os.Stat(s.reserve.path)
	require.NoError(t, err)
	require.Zero(t, info.Size(), "the reserve was given up")

	db := appDB(t, s)
	tx, err := db.Begin()
	require.NoError(t, err)
	require.ErrorIs(t, s.SendTx(ctx, tx, outbox, queue.Message{Body: body}), queue.ErrStoreFull)
	require.NoError(t, tx.Rollback())

	// Deleting works, in any order, and makes room within the database.
	var got []queue.Delivery
	for range n / 10 {
		ds, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
		require.NoError(t, err)
		require.NotEmpty(t, ds)
		got = append(got, ds...)
	}
	for i := 0; i < len(got); i += 2 {
		require.NoError(t, q.Delete(ctx, got[i].Receipt))
	}
	for i := 1; i < len(got); i += 2 {
		require.NoError(t, q.Delete(ctx, got[i].Receipt))
	}
	again := fillUp(t, q, body)
	require.Greater(t, again, 100, "there is room again")

	// The same store opened again is full still, and lets messages go.
	require.NoError(t, outbox.Close())
	require.NoError(t, s.Close())
	s = openAt(t, s.path, Options{Reserve: 6 << 20})
	q, err = openQueue(ctx, s, queue.Config{Name: "q"})
	require.NoError(t, err)
	defer q.Close()
	require.NoError(t, q.(queue.Purger).Purge(ctx))
	_, err = q.Send(ctx, queue.Message{Body: body})
	require.NoError(t, err)
}

// When somebody else frees the disk, the store takes its reserve back.
func TestReserveIsTakenBack(t *testing.T) {
	ctx := context.Background()
	dir := smallDisk(t, "24m")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 10<<20), 0o600))
	s := openAt(t, filepath.Join(dir, "test.db"), Options{Reserve: 4 << 20})
	q, err := openQueue(ctx, s, queue.Config{Name: "q"})
	require.NoError(t, err)
	defer q.Close()
	fillUp(t, q, strings.Repeat("x", 4000))
	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool {
		_, err := q.Send(ctx, queue.Message{Body: "x"})
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.True(t, s.reserve.held())
}

// A record that SQLite can't keep is refused, and the store stays sound.
func TestRecordTooLarge(t *testing.T) {
	s := newStore(t, small)
	number := attach(t, s, "q").Queue
	// Pages that nobody touches take no memory.
	large, err := syscall.Mmap(-1, 0, maxRecord+1, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Munmap(large)
	b := inserting(number, 1)
	b.Changes[0].Insert[0].Body = unsafe.String(&large[0], len(large))
	_, err = s.Append(b)
	require.ErrorIs(t, err, queue.ErrMessageTooLarge)
	do(t, s, inserting(number, 1), queue.Durable)
}
