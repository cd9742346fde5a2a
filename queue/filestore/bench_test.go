package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// go test ./queue/filestore -run xxx -bench . compares a durable send with what
// the disk does at best: an append of 4 KiB to an allocated file, and fdatasync.
func BenchmarkDurable(b *testing.B) {
	b.Run("v=raw", func(b *testing.B) {
		d, err := disk.OS(b.TempDir())
		require.NoError(b, err)
		const size = 64 << 20
		f, err := d.Create("raw", size)
		require.NoError(b, err)
		defer f.Close()
		require.NoError(b, f.Sync())
		block := make([]byte, 4096)
		for i := 0; b.Loop(); i++ {
			_, err := f.WriteAt(block, int64(i)*4096%size)
			require.NoError(b, err)
			require.NoError(b, f.Sync())
		}
	})
	for _, producers := range []int{1, 64} {
		b.Run(fmt.Sprintf("v=filestore/producers=%d", producers), func(b *testing.B) {
			s, q := openBench(b, filepath.Join(b.TempDir(), "store"))
			defer s.Close()
			b.ReportAllocs()
			var next atomic.Uint64
			inOrder := make(chan struct{}, 1) // the queue's lock
			body := strings.Repeat("x", 1024)
			send := func() {
				inOrder <- struct{}{}
				r := [1]queue.Record{{Seq: next.Add(1), ID: queue.MessageID{1}, Message: queue.Message{Body: body}, SentAt: 1000}}
				c, err := s.Append(&queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: q, Insert: r[:]}}})
				<-inOrder
				if err == nil {
					err = s.Wait(c, queue.Durable)
				}
				if err != nil {
					b.Error(err)
				}
			}
			b.SetParallelism(max(producers/2, 1))
			if producers == 1 {
				for b.Loop() {
					send()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					send()
				}
			})
		})
	}
}

// BenchmarkAppend is Append without Wait.
func BenchmarkAppend(b *testing.B) {
	s, q := openBench(b, filepath.Join(b.TempDir(), "store"))
	defer s.Close()
	body := strings.Repeat("x", 1024)
	var r [1]queue.Record
	var changes [1]queue.Change
	batch := queue.Batch{Now: 1000}
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		r[0] = queue.Record{Seq: seq, ID: queue.MessageID{1}, Message: queue.Message{Body: body}, SentAt: 1000}
		changes[0] = queue.Change{Queue: q, Insert: r[:]}
		batch.Changes = changes[:]
		c, err := s.Append(&batch)
		if err != nil {
			b.Fatal(err)
		}
		if seq%256 == 0 {
			b.StopTimer()
			require.NoError(b, s.Wait(c, queue.Written))
			b.StartTimer()
		}
	}
}

// BenchmarkOpen opens a store of many messages, and compares that with reading
// all its files.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "store")
	s, q := openBench(b, dir)
	body := strings.Repeat("x", 1024)
	const n = 200_000
	for seq := uint64(1); seq <= n; {
		var rs []queue.Record
		for range 100 {
			rs = append(rs, queue.Record{Seq: seq, ID: queue.MessageID{1}, Message: queue.Message{Body: body}, SentAt: 1000})
			seq++
		}
		c, err := s.Append(&queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: q, Insert: rs}}})
		require.NoError(b, err)
		require.NoError(b, s.Wait(c, queue.Written))
	}
	require.NoError(b, s.Close())
	b.Run("v=read", func(b *testing.B) {
		for b.Loop() {
			names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
			require.NoError(b, err)
			for _, name := range names {
				_, err := os.ReadFile(name)
				require.NoError(b, err)
			}
		}
	})
	b.Run("v=open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(b.Context(), dir, Options{})
			require.NoError(b, err)
			_, err = s.Attach(b.Context(), "q", queue.Standard)
			require.NoError(b, err)
			require.NoError(b, s.Close())
		}
	})
}

func openBench(b *testing.B, dir string) (*Store, uint64) {
	s, err := Open(b.Context(), dir, Options{})
	require.NoError(b, err)
	r, err := s.Attach(b.Context(), "q", queue.Standard)
	require.NoError(b, err)
	return s, r.Queue
}
