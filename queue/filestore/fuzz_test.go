package filestore

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// seedSegments returns the bytes of the segments of a store that has been through
// everything.
func seedSegments(t testing.TB, limit limits, clean bool) [][]byte {
	d := crashdisk.New()
	s, err := open(context.Background(), d, Options{SegmentSize: minSegmentSize})
	require.NoError(t, err)
	s.limits = limit
	s.spillAt = limit.queueDedups
	r, err := s.Attach(context.Background(), "q", queue.FIFO)
	require.NoError(t, err)
	for i := range uint64(700) {
		b := &queue.Batch{Now: int64(1000 + i), Changes: []queue.Change{{Queue: r.Queue,
			Insert: []queue.Record{{Seq: i + 1, ID: queue.MessageID{1}, Message: queue.Message{Body: "a body of some length, so that there are several segments", GroupID: "g"}, SentAt: 1000}},
			Dedup:  []queue.Dedup{{Key: [16]byte{byte(i), byte(i >> 8)}, Seq: i + 1, Until: int64(3000 + i)}},
		}}}
		if i > 300 {
			b.Changes[0].Remove = []uint64{i - 300, (i * 7919) % (i + 1)}
			b.Changes[0].Touch = []queue.Touch{{Seq: i, Receives: 1, FirstReceivedAt: 2000}}
		}
		c, err := s.Append(b)
		require.NoError(t, err)
		require.NoError(t, s.Wait(c, queue.Durable))
	}
	if clean {
		require.NoError(t, s.Close())
	} else {
		d.Kill()
		_ = s.Close()
		d = d.Crash(crashdisk.Choice{Mode: crashdisk.Kept})
	}
	names, err := d.List()
	require.NoError(t, err)
	slices.Sort(names)
	var segments [][]byte
	for _, name := range names {
		if _, ok := epochOf(name); ok {
			f, err := d.Open(name)
			require.NoError(t, err)
			size, err := f.Size()
			require.NoError(t, err)
			b := make([]byte, size)
			_, err = f.ReadAt(b, 0)
			require.NoError(t, err)
			segments = append(segments, b)
		}
	}
	return segments
}

// Whatever a directory has, opening it ends, and what it opens can be used.
func FuzzOpen(f *testing.F) {
	small := limits{entries: 200, stale: 20, dedups: 100, queueDedups: 50, pages: 256, clean: 1 << 20}
	for _, limit := range []limits{usualLimits, small} {
		for _, clean := range []bool{true, false} {
			segments := seedSegments(f, limit, clean)
			last := bytes.TrimRight(segments[len(segments)-1], "\x00")
			before := bytes.TrimRight(segments[max(len(segments)-2, 0)], "\x00")
			f.Add(before, last, uint32(0), byte(0), false)
			f.Add(before, last, uint32(100), byte(1), true)
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, at uint32, flip byte, reseal bool) {
		if len(first) > 1<<20 || len(second) > 1<<20 {
			return
		}
		first, second = padded(first), padded(second)
		second[int(at)%len(second)] ^= flip
		d := crashdisk.New()
		for _, b := range [][]byte{first, second} {
			h, _ := decodeHeader(b)
			if h.epoch == 0 {
				h.epoch = 1
			}
			if reseal {
				resealFrames(b)
			}
			file, err := d.Create(segmentName(h.epoch), int64(len(b)))
			if err != nil {
				continue
			}
			_, err = file.WriteAt(b, 0)
			require.NoError(t, err)
			_ = file.Close()
		}
		s, err := open(context.Background(), d, Options{SegmentSize: minSegmentSize})
		if err != nil {
			require.ErrorIs(t, err, queue.ErrStoreCorrupt)
			return
		}
		s.limits = small
		for name, q := range s.names {
			r, err := s.Attach(context.Background(), name, q.kind)
			if err != nil {
				require.ErrorIs(t, err, queue.ErrStoreCorrupt)
				continue
			}
			records, err := s.Load(context.Background(), r.Queue, 0, 1<<62, nil)
			if err != nil {
				require.ErrorIs(t, err, queue.ErrStoreCorrupt)
			}
			for _, record := range records {
				c, err := s.Append(&queue.Batch{Changes: []queue.Change{{Queue: r.Queue, Remove: []uint64{record.Seq}}}})
				if errors.Is(err, queue.ErrStoreFull) {
					return
				}
				require.NoError(t, err)
				require.NoError(t, s.Wait(c, queue.Durable))
			}
			break
		}
		require.NoError(t, s.Close())
	})
}

// padded returns a copy of a segment's bytes, with zeros up to the length that its
// header says, if that is a small one.
func padded(b []byte) []byte {
	size := int64(len(b))
	if h, _ := decodeHeader(b); h.size > size && h.size <= 1<<20 {
		size = h.size
	}
	return append(slices.Clone(b), make([]byte, max(size, 1)-int64(len(b)))...)
}

// resealFrames makes the checksums of the frames of a segment right, as far as
// they follow each other, so that what is in them is looked at.
func resealFrames(b []byte) {
	h, wrong := decodeHeader(b)
	if wrong != "" {
		return
	}
	g := newSegment(h)
	for at := firstFrame; at+frameHeader <= len(b); {
		kind := frameKind(b[at+12])
		length := int(uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16 | uint32(b[at+3])<<24)
		if kind == 0 || kind > lastKind || length > len(b)-at-frameHeader {
			return
		}
		sealFrame(b[at:], kind, length, 0, g.seed, int64(at))
		at += int(frameSize(length))
	}
}
