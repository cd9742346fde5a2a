package payload_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
)

// reports collects what Options.Report is told.
type reports struct {
	mu  sync.Mutex // guards all
	all []*payload.BlobError
}

func (r *reports) add(e *payload.BlobError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
}

func (r *reports) take() []*payload.BlobError {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// unreadable makes the reads of one body fail.
func unreadable(body string) trouble {
	return func(call, about string) *fault {
		if call == "get" && about == body {
			return &fault{err: io.ErrUnexpectedEOF}
		}
		return nil
	}
}

// One blob that can't be read costs one delivery, which comes back.
func TestUnreadableBlobLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told reports
		blobs := &brokenBlobs{Blobs: payload.NewMemory(), trouble: unreadable("b")}
		o := always
		o.Report = told.add
		q := wrap(t, newStandard(t, queue.Config{}), blobs, o)
		send(t, q, "a", "b", "c")
		got := receive(t, q)
		require.Equal(t, []string{"a", "c"}, bodies(got))
		report := told.take()
		require.Len(t, report, 1)
		require.Equal(t, payload.OpGet, report[0].Op)
		require.ErrorIs(t, report[0], io.ErrUnexpectedEOF)
		require.NotZero(t, report[0].ID)
		require.Empty(t, receive(t, q), "it is hidden like the others")

		require.NoError(t, q.DeleteBatch(t.Context(), []queue.Receipt{got[0].Receipt, got[1].Receipt}))
		time.Sleep(queue.DefaultVisibility)
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "alone it is an error")
		_, ok := errors.AsType[*payload.BlobError](err)
		require.True(t, ok)
		require.Nil(t, got)

		blobs.trouble = nil
		time.Sleep(queue.DefaultVisibility)
		d := one(t, q)
		require.Equal(t, "b", d.Body)
		require.Equal(t, 3, d.ReceiveCount)
	})
}

// In a FIFO queue the younger messages of the group wait for it.
func TestUnreadableBlobKeepsGroupOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := &brokenBlobs{Blobs: payload.NewMemory(), trouble: unreadable("b")}
		q := wrap(t, newFIFO(t, queue.Config{ContentDeduplication: true}), blobs, always)
		for _, body := range []string{"a", "b", "c"} {
			_, err := q.Send(t.Context(), queue.Message{Body: body, GroupID: "g"})
			require.NoError(t, err)
		}
		_, err := q.Send(t.Context(), queue.Message{Body: "other", GroupID: "h"})
		require.NoError(t, err)
		got := receive(t, q)
		require.Equal(t, []string{"a", "other"}, bodies(got))
		for _, d := range got {
			require.NoError(t, q.Delete(t.Context(), d.Receipt))
		}
		blobs.trouble = nil
		require.Empty(t, receive(t, q))
		time.Sleep(queue.DefaultVisibility)
		require.Equal(t, []string{"b", "c"}, bodies(receive(t, q)))
	})
}

// spoil sends messages whose blobs are then missing, of another size, and not
// pointed to.
func spoil(t *testing.T, inner queue.Queue, q queue.Queue, blobs payload.Blobs) {
	t.Helper()
	send(t, q, "missing")
	require.NoError(t, blobs.Delete(t.Context(), payload.Pointer{Bucket: "bucket", Key: list(t, blobs)[0]}))
	send(t, q, "damaged")
	require.NoError(t, blobs.Put(t.Context(), payload.Pointer{Bucket: "bucket", Key: list(t, blobs)[0]}, "damage"))
	_, err := inner.Send(t.Context(), queue.Message{
		Body: "no pointer", Attributes: queue.NewAttributes(map[string]queue.Value{payload.SizeAttribute: queue.Number("1")}),
	})
	require.NoError(t, err)
}

func TestMissingDamagedAndNoPointer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
		var told reports
		o := always
		o.Report = told.add
		q := wrap(t, inner, blobs, o)
		spoil(t, inner, q, blobs)
		send(t, q, "good")
		require.Equal(t, []string{"good"}, bodies(receive(t, q)))
		for i, want := range []error{payload.ErrBlobNotFound, payload.ErrBlobDamaged, payload.ErrPointerInvalid} {
			require.ErrorIs(t, told.all[i], want)
		}
		time.Sleep(queue.DefaultVisibility - time.Millisecond)
		require.Empty(t, receive(t, inner))
		time.Sleep(time.Millisecond)
		require.Len(t, receive(t, inner), 4, "they come back after their visibility timeout")
	})
}

// With IgnoreMissing a message without a blob is deleted, and only that one.
func TestIgnoreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
		var told reports
		q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Always: true, IgnoreMissing: true, Report: told.add})
		spoil(t, inner, q, blobs)
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
		require.Empty(t, got)
		require.ErrorIs(t, err, payload.ErrBlobDamaged)
		require.ErrorIs(t, err, payload.ErrPointerInvalid)
		require.NotErrorIs(t, err, payload.ErrBlobNotFound)
		require.Len(t, told.take(), 3)
		s, err := inner.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, s.Deleted)

		send(t, q, "missing")
		keys := list(t, blobs) // the damaged one and this
		for _, key := range keys {
			require.NoError(t, blobs.Delete(t.Context(), payload.Pointer{Bucket: "bucket", Key: key}))
		}
		require.Empty(t, receive(t, q), "no error where nothing is left")
		s, err = inner.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, s.Deleted)
	})
}

// A message that was deleted while its blob was read is nothing to report.
func TestDeletedWhileItIsRead(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	var told reports
	first := wrap(t, inner, blobs, always)
	send(t, first, "body")
	slow, err := first.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: queue.None})
	require.NoError(t, err)

	late := &brokenBlobs{Blobs: blobs}
	second := wrap(t, inner, deleteFirst{late, func() { require.NoError(t, first.Delete(t.Context(), slow[0].Receipt)) }},
		payload.Options{Bucket: "bucket", Report: told.add})
	require.Empty(t, receive(t, second))
	require.Empty(t, told.take())
}

// deleteFirst does something before it reads a blob.
type deleteFirst struct {
	payload.Blobs
	before func()
}

func (b deleteFirst) Get(ctx context.Context, at payload.Pointer) (string, error) {
	b.before()
	return b.Blobs.Get(ctx, at)
}

// A Receive that is cancelled while it reads gives back what it has not read.
func TestCancelledWhileReading(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	ctx, cancel := context.WithCancel(t.Context())
	q := wrap(t, inner, deleteFirst{blobs, cancel}, always)
	send(t, q, "a", "b")
	got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, got)
	require.Equal(t, []string{"a", "b"}, bodies(receive(t, wrap(t, inner, blobs, always))), "both are visible at once")
}

// Fetch is for what Peek shows.
func TestFetch(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Threshold: 5})
	send(t, q, "small", "larger")
	inspector, ok := queue.As[queue.Inspector](q)
	require.True(t, ok)
	var seen []string
	for p, err := range inspector.Peek(t.Context()) {
		require.NoError(t, err)
		m, err := q.Fetch(t.Context(), p.Message)
		require.NoError(t, err)
		require.Zero(t, m.Attributes)
		seen = append(seen, m.Body)
	}
	require.Equal(t, []string{"small", "larger"}, seen)
	_, err := q.Fetch(t.Context(), queue.Message{
		Body: javaForm, Attributes: queue.NewAttributes(map[string]queue.Value{payload.SizeAttribute: queue.Number("1")}),
	})
	require.ErrorIs(t, err, payload.ErrBlobNotFound)
}
