package filestore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// send inserts records from number first on, each in a batch of its own, and
// returns the last error.
func send(s *Store, q uint64, first uint64, n int, body string) (sent int, err error) {
	for i := range uint64(n) {
		r := queue.Record{Seq: first + i, ID: queue.MessageID{1}, Message: queue.Message{Body: body}, SentAt: 1000}
		c, err := s.Append(&queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: q, Insert: []queue.Record{r}}}})
		if err != nil {
			return int(i), err
		}
		if err := s.Wait(c, queue.Durable); err != nil {
			return int(i), err
		}
	}
	return n, nil
}

func remove(t *testing.T, s *Store, q uint64, seqs ...uint64) {
	t.Helper()
	c, err := s.Append(&queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: q, Remove: seqs}}})
	require.NoError(t, err)
	require.NoError(t, s.Wait(c, queue.Durable))
}

// The files are at most one and a half times what is needed, and three segments.
func TestFilesStaySmall(t *testing.T) {
	d := crashdisk.New()
	s, err := open(context.Background(), d, Options{SegmentSize: 256 << 10})
	require.NoError(t, err)
	r, err := s.Attach(t.Context(), "q", queue.Standard)
	require.NoError(t, err)
	const n = 6000
	body := strings.Repeat("x", 1000)
	check := func(live int) {
		t.Helper()
		limit := int64(live)*(1000+64)*3/2 + 3*256<<10
		require.LessOrEqual(t, d.Used(), limit, "with %d records", live)
	}
	for i := range n {
		_, err := send(s, r.Queue, uint64(i+1), 1, body)
		require.NoError(t, err)
		check(i + 1)
	}
	live := n
	for _, stride := range []uint64{7, 5, 3, 1} { // in several passes, all over
		for seq := stride; seq <= n; seq += 7 {
			remove(t, s, r.Queue, seq)
			live--
			if live%50 == 0 {
				check(live)
			}
		}
	}
	for seq := uint64(1); seq <= n; seq++ {
		if seq%7 == 2 || seq%7 == 4 || seq%7 == 6 {
			remove(t, s, r.Queue, seq)
			live--
			if live%50 == 0 {
				check(live)
			}
		}
	}
	require.Zero(t, live)
	check(0)
	checkAccounts(t, s)
	require.NoError(t, s.Close())
}

// On a full disk sends are refused, and everything else goes on, down to no
// message at all; then there is room again.
func TestFullDiskEmpties(t *testing.T) {
	for _, order := range []string{"oldest first", "newest first", "all over"} {
		t.Run(order, func(t *testing.T) {
			d := crashdisk.New()
			d.SetCapacity(6 << 20)
			s, err := open(context.Background(), d, Options{SegmentSize: 256 << 10})
			require.NoError(t, err)
			r, err := s.Attach(t.Context(), "q", queue.Standard)
			require.NoError(t, err)
			first := uint64(1)
			for round := range 3 {
				n, err := send(s, r.Queue, first, 100000, strings.Repeat("x", 700))
				require.ErrorIs(t, err, queue.ErrStoreFull)
				require.Greater(t, n, 4000, "round %d", round)
				for i := range uint64(n) {
					at := first + i
					switch order {
					case "newest first":
						at = first + uint64(n) - 1 - i
					case "all over":
						at = first + (i*7919)%uint64(n)
					}
					c, err := s.Append(&queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: r.Queue, Touch: []queue.Touch{{Seq: at, Receives: 1, FirstReceivedAt: 1000}}}}})
					require.NoError(t, err)
					require.NoError(t, s.Wait(c, queue.Written))
					remove(t, s, r.Queue, at)
				}
				require.Zero(t, s.records, fmt.Sprint("round ", round))
				first += uint64(n)
			}
			require.NoError(t, s.Close())
		})
	}
}
