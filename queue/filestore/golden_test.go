package filestore

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew, after a change of the format")

const goldenFile = "testdata/version1.seg"

// goldenRecord has every field.
var goldenRecord = queue.Record{
	Seq: 7, ID: queue.MessageID{1, 2, 3},
	Message: queue.Message{
		Body:       "body",
		Attributes: queue.NewAttributes(map[string]queue.Value{"n": queue.Number("1")}),
		GroupID:    "group", DeduplicationID: "dedup", Delay: 5, TraceHeader: "trace",
	},
	SentAt: 1_700_000_000_000, DueAt: 1_700_000_000_100, FirstReceivedAt: 1_700_000_000_050, Receives: 2,
	DeadLetterSource: "source", DeadLetterReason: "reason",
}

// A store that was written in this version of the format is read for ever.
func TestGoldenStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if *rewrite {
		writeGolden(t, dir)
	}
	b, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	assert.Equal(t, "RESTSEG1\x01\x00\x00\x00", string(b[:12]), "the magic and the version")
	// Only the zeros at the end are left out of the file.
	b = append(b, make([]byte, minSegmentSize-len(b))...)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1)), b, 0o600))

	s, err := Open(t.Context(), dir, Options{SegmentSize: minSegmentSize})
	require.NoError(t, err)
	defer s.Close()
	r, err := s.Attach(t.Context(), "golden", queue.FIFO)
	require.NoError(t, err)
	assert.Equal(t, &queue.Recovery{
		Queue: 1, Key: r.Key, Next: 10, Now: 1_700_000_000_200,
		Pages: []queue.PageInfo{{First: 1, Live: 2, Bytes: 4 + 8 + 6, MinSentAt: 1_700_000_000_000, MaxDueAt: 1_700_000_000_100}},
		Dedup: []queue.Dedup{{Key: [16]byte{9}, Seq: 7, Until: 1_700_000_300_000}},
	}, r)
	records, err := s.Load(t.Context(), r.Queue, 0, 100, nil)
	require.NoError(t, err)
	assert.Equal(t, []queue.Record{goldenRecord, {Seq: 9, ID: queue.MessageID{9}, Message: queue.Message{Body: "second"},
		SentAt: 1_700_000_000_100, Receives: 1, FirstReceivedAt: 1_700_000_000_200}}, records)
	meta, err := s.Meta(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string][]byte{"name": []byte("value")}, meta)

	// What is written today are the same bytes, but for the store's random ones
	// and the checksums that depend on them.
	today := filepath.Join(t.TempDir(), "today")
	writeGoldenStore(t, today)
	again, err := os.ReadFile(filepath.Join(today, segmentName(1)))
	require.NoError(t, err)
	assert.Equal(t, payloads(b), payloads(again))
}

func writeGolden(t *testing.T, dir string) {
	writeGoldenStore(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("testdata", 0o700))
	require.NoError(t, os.WriteFile(goldenFile, bytes.TrimRight(b, "\x00"), 0o600))
}

func writeGoldenStore(t *testing.T, dir string) {
	s, err := Open(t.Context(), dir, Options{SegmentSize: minSegmentSize})
	require.NoError(t, err)
	r, err := s.Attach(t.Context(), "golden", queue.FIFO)
	require.NoError(t, err)
	for _, b := range []queue.Batch{
		{Now: 1_700_000_000_000, Changes: []queue.Change{{Queue: r.Queue, Insert: []queue.Record{goldenRecord},
			Dedup: []queue.Dedup{{Key: [16]byte{9}, Seq: 7, Until: 1_700_000_300_000}}}}},
		{Now: 1_700_000_000_100, Changes: []queue.Change{{Queue: r.Queue, Insert: []queue.Record{
			{Seq: 8, ID: queue.MessageID{8}, Message: queue.Message{Body: "first"}, SentAt: 1_700_000_000_100},
			{Seq: 9, ID: queue.MessageID{9}, Message: queue.Message{Body: "second"}, SentAt: 1_700_000_000_100},
		}}}, Meta: []queue.Meta{{Name: "name", Value: []byte("value")}}},
	} {
		c, err := s.Append(&b)
		require.NoError(t, err)
		require.NoError(t, s.Wait(c, queue.Durable))
	}
	require.True(t, s.flush(s.names["golden"], s.names["golden"].page(1), new(block)))
	s.mu.Lock()
	s.spill(s.names["golden"])
	s.mu.Unlock()
	c, err := s.Append(&queue.Batch{Now: 1_700_000_000_200, Changes: []queue.Change{{Queue: r.Queue, Remove: []uint64{8},
		Touch: []queue.Touch{{Seq: 9, Receives: 1, FirstReceivedAt: 1_700_000_000_200}}}}})
	require.NoError(t, err)
	require.NoError(t, s.Wait(c, queue.Durable))
	require.NoError(t, s.Close())
}

// payloads returns what is in the frames of a segment's bytes, less the keys that
// are random.
func payloads(b []byte) (all []string) {
	h, _ := decodeHeader(b)
	g := newSegment(h)
	c := newScanner(bytes.NewReader(b), g, firstFrame, int64(len(b)))
	var key []byte
	for {
		f, payload, ok, err := c.next()
		if err != nil || !ok {
			return all
		}
		if len(all) == 0 { // the queue's creation ends with it
			key = bytes.Clone(payload[len(payload)-16:])
		}
		all = append(all, string(rune('0'+f.kind))+string(bytes.ReplaceAll(payload, key, nil)))
	}
}
