package payload_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
)

var tenthAttribute = func() queue.Attributes {
	values := map[string]queue.Value{}
	for c := range "abcdefghij" {
		values[string(rune('a'+c))] = queue.String("x")
	}
	return queue.NewAttributes(values)
}()

// A message becomes a pointer if and only if body and attributes are above the
// threshold.
func TestThresholdIsExact(t *testing.T) {
	attributes := queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")}) // 1+6+1 bytes
	for _, c := range []struct {
		o          payload.Options
		cfg        queue.Config
		body       int
		attributes queue.Attributes
		blob       bool
	}{
		{body: 262_144},
		{body: 262_145, blob: true},
		{body: 262_136, attributes: attributes},
		{body: 262_137, attributes: attributes, blob: true},
		{o: payload.Options{Threshold: 100}, body: 100},
		{o: payload.Options{Threshold: 100}, body: 101, blob: true},
		{o: payload.Options{Threshold: 1 << 30}, body: 1 << 20},
		{o: payload.Options{Threshold: 1 << 30}, body: 1<<20 + 1, blob: true},
		{cfg: queue.Config{MaxMessageSize: 1024}, body: 1024},
		{cfg: queue.Config{MaxMessageSize: 1024}, body: 1025, blob: true},
		{o: payload.Options{Always: true}, body: 1, blob: true},
		{cfg: queue.Config{Limits: queue.Unlimited}, body: 262_144},
		{cfg: queue.Config{Limits: queue.Unlimited}, body: 4 << 20, blob: true},
	} {
		name := fmt.Sprintf("%d bytes and %d of attributes, %+v, MaxMessageSize %d", c.body, c.attributes.Size(), c.o, c.cfg.MaxMessageSize)
		blobs := payload.NewMemory()
		c.o.Bucket = "bucket"
		q := wrap(t, newStandard(t, c.cfg), blobs, c.o)
		m := queue.Message{Body: strings.Repeat("a", c.body), Attributes: c.attributes}
		_, err := q.Send(t.Context(), m)
		require.NoError(t, err, name)
		if c.blob {
			require.Len(t, list(t, blobs), 1, name)
		} else {
			require.Empty(t, list(t, blobs), name)
		}
		d := one(t, q)
		require.True(t, d.Body == m.Body, name)
		require.Equal(t, m.Attributes, d.Attributes, name)
		_, foreign := d.Receipt.Foreign()
		require.Equal(t, c.blob, foreign, "%s: a small message keeps its receipt", name)
	}
}

// A blob whose Put failed may be there all the same: it is removed, since no
// message will point to it.
func TestPutThatFailsAfterItsEffect(t *testing.T) {
	memory := payload.NewMemory()
	blobs := &brokenBlobs{Blobs: memory, trouble: func(call, _ string) *fault {
		if call == "put" {
			return &fault{err: io.ErrUnexpectedEOF, after: true}
		}
		return nil
	}}
	q := wrap(t, newStandard(t, queue.Config{}), blobs, always)
	_, err := q.Send(t.Context(), queue.Message{Body: "body"})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	be, ok := errors.AsType[*payload.BlobError](err)
	require.True(t, ok)
	require.Equal(t, payload.OpPut, be.Op)
	require.Empty(t, receive(t, q))
	require.Empty(t, list(t, memory))
}

// What can't be sent is refused before any blob is written.
func TestRefusedBeforehand(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       payload.Options
		m       queue.Message
		want    error
		numbers []any // of the LimitError: got, max
	}{
		{"no body", payload.Options{Always: true}, queue.Message{}, queue.ErrMissingParameter, nil},
		{"not UTF-8", payload.Options{Always: true}, queue.Message{Body: "a\xff"}, queue.ErrInvalidContents, nil},
		{"a control character", payload.Options{Always: true}, queue.Message{Body: "a\x00"}, queue.ErrInvalidContents, nil},
		{"U+FFFE", payload.Options{Always: true}, queue.Message{Body: "a\ufffe"}, queue.ErrInvalidContents, nil},
		{"ten attributes", payload.Options{Always: true}, queue.Message{Body: "a", Attributes: tenthAttribute}, queue.ErrInvalidParameter, []any{10, 9}},
		{"attributes above the threshold", payload.Options{Threshold: 7},
			queue.Message{Body: "a", Attributes: queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})}, queue.ErrMessageTooLarge, []any{8, 7}},
		{"a reserved name", payload.Options{},
			queue.Message{Body: "small", Attributes: queue.NewAttributes(map[string]queue.Value{"ExtendedPayloadSize": queue.Number("5")})}, queue.ErrInvalidParameter, nil},
		{"the legacy reserved name", payload.Options{Always: true},
			queue.Message{Body: "small", Attributes: queue.NewAttributes(map[string]queue.Value{"SQSLargePayloadSize": queue.Number("5")})}, queue.ErrInvalidParameter, nil},
	} {
		c.o.Bucket = "bucket"
		j := &journal{}
		q := wrap(t, newStandard(t, queue.Config{}), &brokenBlobs{Blobs: payload.NewMemory(), journal: j}, c.o)
		sent, err := q.Send(t.Context(), c.m)
		require.ErrorIs(t, err, c.want, c.name)
		require.Zero(t, sent, c.name)
		limit, ok := errors.AsType[*queue.LimitError](err)
		require.True(t, ok, c.name)
		if c.numbers != nil {
			require.Equal(t, c.numbers, []any{limit.Got, limit.Max}, c.name)
		}
		_, err = q.SendBatch(t.Context(), []queue.Message{c.m})
		require.ErrorIs(t, err, c.want, c.name)
		require.Empty(t, j.take(), c.name)
		require.Empty(t, receive(t, q), c.name)
	}
}

func TestNineAttributesAreSent(t *testing.T) {
	q := wrap(t, newStandard(t, queue.Config{}), payload.NewMemory(), always)
	nine := tenthAttribute.Select(func(name string) bool { return name != "j" })
	_, err := q.Send(t.Context(), queue.Message{Body: "a", Attributes: nine})
	require.NoError(t, err)
	require.Equal(t, nine, one(t, q).Attributes)
}

// Under Unlimited bodies may be any bytes.
func TestUnlimitedBytes(t *testing.T) {
	q := wrap(t, newStandard(t, queue.Config{Limits: queue.Unlimited}), payload.NewMemory(), always)
	_, err := q.Send(t.Context(), queue.Message{Body: "\x00\xff", Attributes: tenthAttribute})
	require.NoError(t, err)
	require.Equal(t, "\x00\xff", one(t, q).Body)
}

func TestOptionsAreChecked(t *testing.T) {
	inner := newStandard(t, queue.Config{})
	for _, o := range []payload.Options{
		{Bucket: ""}, {Bucket: "a..b"}, {Bucket: `a"b`}, {Bucket: "ä"}, {Bucket: "a b"}, {Bucket: strings.Repeat("a", 256)},
		{Bucket: "b", Threshold: -1}, {Bucket: "b", Prefix: ".a"}, {Bucket: "b", Prefix: "/a"}, {Bucket: "b", Prefix: "a..b"},
		{Bucket: "b", Prefix: "a b"}, {Bucket: "b", Prefix: strings.Repeat("a", 989)},
	} {
		q, err := payload.Wrap(inner, payload.NewMemory(), o)
		_, ok := errors.AsType[*queue.LimitError](err)
		require.True(t, ok, "%+v", o)
		require.Nil(t, q)
	}
	for _, o := range []payload.Options{
		{Bucket: "my-bucket.example"}, {Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/p_1"}, {Bucket: strings.Repeat("a", 255)},
		{Bucket: "b", Prefix: strings.Repeat("a", 988)}, {Bucket: "b", Prefix: "a/b.c_D-9/"},
	} {
		_, err := payload.Wrap(inner, payload.NewMemory(), o)
		require.NoError(t, err)
	}
}

// A batch to a Standard queue: entries fail one by one, here or in the queue, and
// blobs stay of those alone that were sent.
func TestBatchFailsEntryByEntry(t *testing.T) {
	inner, memory := newStandard(t, queue.Config{}), payload.NewMemory()
	blobs := &brokenBlobs{Blobs: memory, trouble: func(call, about string) *fault {
		switch {
		case call == "put" && about == "no room":
			return &fault{err: io.ErrShortWrite}
		case call == "put" && about == "no answer":
			return &fault{err: io.ErrUnexpectedEOF, after: true}
		}
		return nil
	}}
	q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Threshold: 5})
	sent, err := q.SendBatch(t.Context(), []queue.Message{
		{Body: "first, large"}, {Body: "no room"}, {Body: "tiny"}, {Body: ""}, {Body: "no answer"},
		{Body: "delayed, large", Delay: time.Hour}, {Body: "\x00\x00\x00\x00\x00\x00"}, {Body: "last, large"},
	})
	var batch *queue.BatchError
	require.ErrorAs(t, err, &batch)
	wants := map[int]error{1: io.ErrShortWrite, 3: queue.ErrMissingParameter, 4: io.ErrUnexpectedEOF, 5: queue.ErrInvalidParameter, 6: queue.ErrInvalidContents}
	previous := -1
	for _, e := range batch.Entries {
		require.Greater(t, e.Index, previous)
		previous = e.Index
		require.ErrorIs(t, e.Err, wants[e.Index], "entry %d", e.Index)
		require.Zero(t, sent[e.Index])
		delete(wants, e.Index)
	}
	require.Empty(t, wants)
	for _, i := range []int{0, 2, 7} {
		require.NotZero(t, sent[i].ID)
	}
	require.Len(t, list(t, memory), 2, "blobs of what was refused are removed")
	require.Equal(t, []string{"first, large", "tiny", "last, large"}, bodies(receive(t, q)))

	sent, err = q.SendBatch(t.Context(), []queue.Message{{Body: "no room"}, {Body: "no room"}})
	require.ErrorAs(t, err, &batch)
	require.Len(t, batch.Entries, 2)
	require.Equal(t, make([]queue.Sent, 2), sent)
	be, ok := errors.AsType[*payload.BlobError](err)
	require.True(t, ok)
	require.Equal(t, payload.OpPut, be.Op)
}

// A batch to a FIFO queue is refused as a whole, and leaves nothing.
func TestFIFOBatchFailsAsAWhole(t *testing.T) {
	memory := payload.NewMemory()
	blobs := &brokenBlobs{Blobs: memory, trouble: func(call, about string) *fault {
		if call == "put" && about == "no room" {
			return &fault{err: io.ErrShortWrite}
		}
		return nil
	}}
	q := wrap(t, newFIFO(t, queue.Config{ContentDeduplication: true}), blobs, always)
	for body, want := range map[string]error{"no room": io.ErrShortWrite, "\x00": queue.ErrInvalidContents, "": queue.ErrMissingParameter} {
		sent, err := q.SendBatch(t.Context(), []queue.Message{{Body: "a", GroupID: "g"}, {Body: body, GroupID: "g"}, {Body: "c", GroupID: "g"}})
		require.ErrorIs(t, err, want)
		_, ok := errors.AsType[*queue.BatchError](err)
		require.False(t, ok)
		require.Nil(t, sent)
		require.Empty(t, list(t, memory))
		require.Empty(t, receive(t, q))
	}
}

func TestWholeBatchIsRefused(t *testing.T) {
	j := &journal{}
	q := wrap(t, newStandard(t, queue.Config{}), &brokenBlobs{Blobs: payload.NewMemory(), journal: j}, always)
	_, err := q.SendBatch(t.Context(), nil)
	require.ErrorIs(t, err, queue.ErrEmptyBatch)
	_, err = q.SendBatch(t.Context(), make([]queue.Message, 11))
	require.ErrorIs(t, err, queue.ErrTooManyEntries)
	require.Empty(t, j.take())

	memory := payload.NewMemory()
	q = wrap(t, newStandard(t, queue.Config{}), memory, payload.Options{Bucket: "bucket", Threshold: 1 << 20})
	_, err = q.SendBatch(t.Context(), []queue.Message{
		{Body: strings.Repeat("a", 1<<20+1)}, {Body: strings.Repeat("a", 1<<20)},
	})
	require.ErrorIs(t, err, queue.ErrBatchTooLarge, "a pointer and a body are above 1 MiB")
	require.Empty(t, list(t, memory))
}

// Content deduplication works on bodies, whether they are kept in blobs or not.
func TestContentDeduplication(t *testing.T) {
	inner, blobs := newFIFO(t, queue.Config{ContentDeduplication: true}), payload.NewMemory()
	q := wrap(t, inner, blobs, always)
	m := queue.Message{Body: "body", GroupID: "g"}
	first, err := q.Send(t.Context(), m)
	require.NoError(t, err)
	keys := list(t, blobs)

	second, err := q.Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, queue.Sent{ID: first.ID, Sequence: first.Sequence, Duplicate: true}, second)
	third, err := q.SendBatch(t.Context(), []queue.Message{m, {Body: "other", GroupID: "g"}, m})
	require.NoError(t, err)
	require.True(t, third[0].Duplicate && !third[1].Duplicate && third[2].Duplicate)
	plain, err := inner.Send(t.Context(), m)
	require.NoError(t, err)
	require.True(t, plain.Duplicate, "the ID is the one that the queue makes of the body")
	require.Len(t, list(t, blobs), 2, "a duplicate's blob is removed")
	require.Subset(t, list(t, blobs), keys, "the first one's stays")

	got := receive(t, q)
	require.Equal(t, []string{"body", "other"}, bodies(got))
	sum := sha256.Sum256([]byte("body"))
	require.Equal(t, hex.EncodeToString(sum[:]), got[0].DeduplicationID)

	m.DeduplicationID = "mine"
	again, err := q.Send(t.Context(), m)
	require.NoError(t, err)
	require.False(t, again.Duplicate, "an ID that is given is kept")
}

// The blob is written before the message and removed after it.
func TestOrderOfOperations(t *testing.T) {
	j := &journal{}
	var refuse error
	trouble := func(call, _ string) *fault {
		if refuse == nil || call == "put" {
			return nil
		}
		return &fault{err: refuse}
	}
	inner := &brokenQueue{Queue: newStandard(t, queue.Config{}), journal: j, trouble: trouble}
	q := wrap(t, inner, &brokenBlobs{Blobs: payload.NewMemory(), journal: j}, always)

	send(t, q, "body")
	require.Equal(t, []string{"put blob", "send message"}, j.take())
	d := one(t, q)
	require.Equal(t, []string{"get blob"}, j.take())
	refuse = queue.ErrStoreFailed
	require.ErrorIs(t, q.Delete(t.Context(), d.Receipt), queue.ErrStoreFailed)
	require.Equal(t, []string{"delete message"}, j.take(), "the blob stays while the message may be there")
	refuse = nil
	require.NoError(t, q.Delete(t.Context(), d.Receipt))
	require.Equal(t, []string{"delete message", "delete blob"}, j.take())
	require.NoError(t, q.Delete(t.Context(), d.Receipt))
	require.Equal(t, []string{"delete message"}, j.take(), "the message was gone already")

	sent, err := q.SendBatch(t.Context(), []queue.Message{{Body: "a"}, {Body: "b"}})
	require.NoError(t, err)
	require.Len(t, sent, 2)
	require.Equal(t, []string{"put blob", "put blob", "send messages"}, j.take())
	got := receive(t, q)
	require.Equal(t, []string{"get blob", "get blob"}, j.take())
	receipts := []queue.Receipt{got[0].Receipt, got[1].Receipt}
	for _, refuse = range []error{queue.ErrStoreFailed, &queue.BatchError{Entries: []queue.EntryError{{Index: 0, Err: io.EOF}, {Index: 1, Err: io.EOF}}}} {
		require.ErrorIs(t, q.DeleteBatch(t.Context(), receipts), refuse)
		require.Equal(t, []string{"delete messages"}, j.take())
	}
	refuse = nil
	require.NoError(t, q.DeleteBatch(t.Context(), receipts))
	require.Equal(t, []string{"delete messages", "delete blob", "delete blob"}, j.take())

	for _, c := range []struct {
		err    error
		remove bool
	}{
		{queue.ErrStoreFull, true}, {queue.ErrThrottled, true}, {queue.ErrMessageTooLarge, true},
		{queue.ErrUncertain, false}, {fmt.Errorf("%w: %w", queue.ErrUncertain, queue.ErrStoreFull), false},
		{queue.ErrStoreFailed, false}, {io.ErrUnexpectedEOF, false}, {context.DeadlineExceeded, false},
	} {
		refuse = c.err
		_, err := q.Send(t.Context(), queue.Message{Body: "body"})
		require.ErrorIs(t, err, c.err)
		want := []string{"put blob", "send message"}
		if c.remove {
			want = append(want, "delete blob")
		}
		require.Equal(t, want, j.take(), "after %v", c.err)
		_, err = q.SendBatch(t.Context(), []queue.Message{{Body: "body"}})
		require.ErrorIs(t, err, c.err)
		want[1] = "send messages"
		require.Equal(t, want, j.take(), "after %v", c.err)
	}
}

// Whatever goes wrong, with or without its effect, no message is without its blob.
func TestFaultsOfEveryCall(t *testing.T) {
	calls := []string{"put", "get", "delete", "send"}
	faults := []fault{
		{io.ErrUnexpectedEOF, false}, {io.ErrUnexpectedEOF, true}, {queue.ErrUncertain, true}, {context.DeadlineExceeded, true},
		{queue.ErrThrottled, false}, {payload.ErrBlobNotFound, false},
	}
	for _, call := range calls {
		for _, f := range faults {
			for nth := range 4 {
				t.Run(fmt.Sprintf("%s/%v/after=%v/%d", call, f.err, f.after, nth), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testFault(t, call, f, nth) })
				})
			}
		}
	}
}

func testFault(t *testing.T, call string, f fault, nth int) {
	var n atomic.Int64
	trouble := func(c, _ string) *fault {
		if c != call || n.Add(1) != int64(nth)+1 {
			return nil
		}
		return &f
	}
	inner, memory := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, &brokenQueue{Queue: inner, trouble: trouble}, &brokenBlobs{Blobs: memory, trouble: trouble}, always)
	sound := func() { noneWithoutBlob(t, memory, inner) }
	delivered := map[string]bool{}
	accepted := map[string]bool{}
	take := func() {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
		if err != nil {
			require.ErrorIs(t, err, f.err)
		}
		for _, d := range got {
			delivered[d.Body] = true
			_ = q.Delete(t.Context(), d.Receipt) // or it comes back
			sound()
		}
	}
	for _, body := range []string{"a", "b"} {
		_, err := q.Send(t.Context(), queue.Message{Body: body})
		accepted[body] = err == nil
		sound()
		take()
	}
	sent, _ := q.SendBatch(t.Context(), []queue.Message{{Body: "c"}, {Body: "d"}})
	for i := range sent {
		accepted[string(rune('c'+i))] = sent[i].ID != queue.MessageID{}
	}
	sound()
	for range 3 {
		take()
		time.Sleep(queue.DefaultVisibility * 4)
	}
	for body, ok := range accepted {
		assert.True(t, !ok || delivered[body], "%s was accepted and never delivered", body)
	}
	orphans := noneWithoutBlob(t, memory, inner)
	require.LessOrEqual(t, len(orphans), 2)
	found, err := payload.Collect(t.Context(), memory, payload.CollectOptions{Bucket: "bucket", MinAge: queue.None}, q)
	require.NoError(t, err)
	require.Len(t, found.Orphans, len(orphans))
	require.Empty(t, noneWithoutBlob(t, memory, inner))
}
