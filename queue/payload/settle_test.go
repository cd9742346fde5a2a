package payload_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
)

// A slow receiver whose message has moved to the dead-letter queue meanwhile
// deletes nothing, and must not take the blob from under it.
func TestLateDeleteOfADeadLetter(t *testing.T) {
	for name, remove := range map[string]func(context.Context, queue.Queue, queue.Receipt) error{
		"Delete": func(ctx context.Context, q queue.Queue, r queue.Receipt) error { return q.Delete(ctx, r) },
		"DeleteBatch": func(ctx context.Context, q queue.Queue, r queue.Receipt) error {
			return q.DeleteBatch(ctx, []queue.Receipt{r})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dead, blobs := newStandard(t, queue.Config{Name: "dead"}), payload.NewMemory()
				source := newStandard(t, queue.Config{Name: "source", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
				q, letters := wrap(t, source, blobs, always), wrap(t, dead, blobs, always)
				send(t, q, "body")
				slow := one(t, q)
				time.Sleep(queue.DefaultVisibility)
				require.Empty(t, receive(t, q), "it moves")
				require.NoError(t, remove(t.Context(), q, slow.Receipt))
				require.Empty(t, noneWithoutBlob(t, blobs, source, dead))

				letter := one(t, letters)
				require.Equal(t, "body", letter.Body)
				require.Equal(t, "source", letter.DeadLetterSource)
				require.NoError(t, remove(t.Context(), letters, letter.Receipt))
				require.Empty(t, list(t, blobs))
			})
		})
	}
}

// Nor must a receiver of the dead-letter queue, when the message was brought back.
func TestLateDeleteAfterARedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, blobs := newStandard(t, queue.Config{Name: "dead"}), payload.NewMemory()
		source := newStandard(t, queue.Config{Name: "source", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		q, letters := wrap(t, source, blobs, always), wrap(t, dead, blobs, always)
		send(t, q, "body")
		require.NoError(t, q.DeadLetter(t.Context(), one(t, q).Receipt, "by hand"))
		slow := one(t, letters)
		require.Equal(t, "by hand", slow.DeadLetterReason)
		time.Sleep(queue.DefaultVisibility)
		_, moved, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, func(string) (queue.Adopter, error) { return source, nil })
		require.NoError(t, err)
		require.Equal(t, 1, moved)
		require.NoError(t, letters.Delete(t.Context(), slow.Receipt))
		require.Empty(t, noneWithoutBlob(t, blobs, source, dead))
		d := one(t, q)
		require.Equal(t, "body", d.Body)
		require.NoError(t, q.Delete(t.Context(), d.Receipt))
		require.Empty(t, list(t, blobs))
	})
}

// On a Standard queue a receipt deletes though the message was received again,
// and takes the blob along.
func TestLateDeleteOfARedelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
		q := wrap(t, inner, blobs, always)
		send(t, q, "body")
		slow := one(t, q)
		time.Sleep(queue.DefaultVisibility)
		again := one(t, q)
		require.Equal(t, "body", again.Body)
		require.NoError(t, q.Delete(t.Context(), slow.Receipt))
		require.Empty(t, list(t, blobs))
		require.NoError(t, q.Delete(t.Context(), again.Receipt))
		time.Sleep(time.Hour)
		require.Empty(t, receive(t, q))
	})
}

// On a FIFO queue it is refused, and the blob stays.
func TestLateDeleteOnFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, blobs := newFIFO(t, queue.Config{ContentDeduplication: true}), payload.NewMemory()
		q := wrap(t, inner, blobs, always)
		_, err := q.Send(t.Context(), queue.Message{Body: "body", GroupID: "g"})
		require.NoError(t, err)
		slow := one(t, q)
		time.Sleep(queue.DefaultVisibility)
		require.ErrorIs(t, q.Delete(t.Context(), slow.Receipt), queue.ErrReceiptExpired)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), []queue.Receipt{slow.Receipt}), queue.ErrReceiptExpired)
		require.Equal(t, "body", one(t, q).Body)
	})
}

// Near the end of the twelve hours nothing can be held any longer: the message is
// deleted all the same, and its blob left to Collect.
func TestDeleteAtTheEndOfTheLongestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, blobs := newStandard(t, queue.Config{VisibilityTimeout: queue.MaxVisibility}), payload.NewMemory()
		q := wrap(t, inner, blobs, always)
		send(t, q, "body")
		d := one(t, q)
		time.Sleep(queue.MaxVisibility - time.Second)
		require.NoError(t, q.Delete(t.Context(), d.Receipt))
		require.Len(t, noneWithoutBlob(t, blobs, inner), 1)
	})
}

// Entries of a batch keep their places, whether they have blobs or not.
func TestDeleteBatchEntryByEntry(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Threshold: 5})
	send(t, q, "small", "larger 1", "larger 2", "tiny")
	got := receive(t, q)
	err := q.DeleteBatch(t.Context(), []queue.Receipt{
		got[0].Receipt, queue.ForeignReceipt("garbage"), got[1].Receipt, got[1].Receipt, {}, got[2].Receipt,
	})
	var batch *queue.BatchError
	require.ErrorAs(t, err, &batch)
	require.Len(t, batch.Entries, 2)
	require.Equal(t, 1, batch.Entries[0].Index)
	require.ErrorIs(t, batch.Entries[0].Err, queue.ErrReceiptInvalid)
	require.Equal(t, 4, batch.Entries[1].Index)
	require.ErrorIs(t, batch.Entries[1].Err, queue.ErrMissingParameter)
	require.Empty(t, list(t, blobs))
	s, err := inner.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Deleted)

	require.ErrorIs(t, q.DeleteBatch(t.Context(), nil), queue.ErrEmptyBatch)
	require.ErrorIs(t, q.DeleteBatch(t.Context(), make([]queue.Receipt, 11)), queue.ErrTooManyEntries)
	require.ErrorIs(t, q.ChangeVisibilityBatch(t.Context(), nil), queue.ErrEmptyBatch)
}

// A blob that can't be removed is reported; the message is deleted, and so Delete
// has done what it is for.
func TestBlobThatCannotBeRemoved(t *testing.T) {
	inner, memory := newStandard(t, queue.Config{}), payload.NewMemory()
	var told reports
	blobs := &brokenBlobs{Blobs: memory, trouble: func(call, _ string) *fault {
		if call == "delete" {
			return &fault{err: io.ErrClosedPipe}
		}
		return nil
	}}
	q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Always: true, Report: told.add})
	send(t, q, "body")
	require.NoError(t, q.Delete(t.Context(), one(t, q).Receipt))
	orphans := noneWithoutBlob(t, memory, inner)
	require.Len(t, orphans, 1)
	report := told.take()
	require.Len(t, report, 1)
	require.Equal(t, payload.BlobError{Op: payload.OpDelete, Blob: payload.Pointer{Bucket: "bucket", Key: orphans[0]}, Err: io.ErrClosedPipe}, *report[0])
	require.Equal(t, `payload: delete blob "`+orphans[0]+`" of bucket "bucket": io: read/write on closed pipe`, report[0].Error())
}

func TestKeepBlobs(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Always: true, KeepBlobs: true})
	send(t, q, "a", "b")
	got := receive(t, q)
	require.NoError(t, q.Delete(t.Context(), got[0].Receipt))
	require.NoError(t, q.DeleteBatch(t.Context(), []queue.Receipt{got[1].Receipt}))
	require.Len(t, noneWithoutBlob(t, blobs, inner), 2)
	_, err := q.Send(t.Context(), queue.Message{Body: "c", Delay: time.Hour})
	require.Error(t, err)
	require.Len(t, list(t, blobs), 2, "what was refused has none")
}

// Abilities are those of the inner queue.
func TestAbilities(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, always)
	adopter, ok := queue.As[queue.Adopter](q)
	require.True(t, ok)
	require.Same(t, inner, adopter)
	send(t, q, "body")
	purger, ok := queue.As[queue.Purger](q)
	require.True(t, ok)
	require.NoError(t, purger.Purge(t.Context()))
	require.Len(t, noneWithoutBlob(t, blobs, inner), 1, "Purge leaves blobs to Collect")
}

// Close waits for calls that are at the blobs, and those that follow are refused
// before they get there.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, memory, j := newStandard(t, queue.Config{}), payload.NewMemory(), &journal{}
		slow := slowBlobs{&brokenBlobs{Blobs: memory, journal: j}}
		q := wrap(t, inner, slow, always)
		sent := make(chan error, 1)
		go func() { // ends when the blob is written
			_, err := q.Send(t.Context(), queue.Message{Body: "body"})
			sent <- err
		}()
		synctest.Wait()
		began := time.Now()
		require.NoError(t, q.Close())
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, <-sent, queue.ErrClosed)
		j.take()
		_, err := q.Send(t.Context(), queue.Message{Body: "body"})
		require.ErrorIs(t, err, queue.ErrClosed)
		_, err = q.SendBatch(t.Context(), []queue.Message{{Body: "body"}})
		require.ErrorIs(t, err, queue.ErrClosed)
		_, err = q.Fetch(t.Context(), queue.Message{})
		require.ErrorIs(t, err, queue.ErrClosed)
		require.ErrorIs(t, q.DeadLetter(t.Context(), queue.Receipt{}, ""), queue.ErrClosed)
		require.Empty(t, j.take())
		require.NoError(t, q.Close())
	})
}

// slowBlobs take a minute to write a blob.
type slowBlobs struct{ payload.Blobs }

func (b slowBlobs) Put(ctx context.Context, at payload.Pointer, body string) error {
	time.Sleep(time.Minute)
	return b.Blobs.Put(ctx, at, body)
}
