package payload_test

import (
	"context"
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/standard"
)

// always are the options of most tests: every body becomes a blob.
var always = payload.Options{Bucket: "bucket", Always: true}

func newStandard(t *testing.T, cfg queue.Config) *standard.Queue {
	t.Helper()
	q, err := standard.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func newFIFO(t *testing.T, cfg queue.Config) *fifo.Queue {
	t.Helper()
	q, err := fifo.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func wrap(t *testing.T, q queue.Queue, b payload.Blobs, o payload.Options) *payload.Queue {
	t.Helper()
	w, err := payload.Wrap(q, b, o)
	require.NoError(t, err)
	return w
}

func send(t *testing.T, q queue.Queue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		_, err := q.Send(t.Context(), queue.Message{Body: body})
		require.NoError(t, err)
	}
}

// receive is a short poll for up to ten messages.
func receive(t *testing.T, q queue.Queue) []queue.Delivery {
	t.Helper()
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
	require.NoError(t, err)
	return got
}

// one receives the one message there is.
func one(t *testing.T, q queue.Queue) queue.Delivery {
	t.Helper()
	got := receive(t, q)
	require.Len(t, got, 1)
	return got[0]
}

func bodies(ds []queue.Delivery) []string {
	var all []string
	for i := range ds {
		all = append(all, ds[i].Body)
	}
	return all
}

// list returns the keys of all blobs in the bucket, in order.
func list(t *testing.T, b payload.Blobs) []string {
	t.Helper()
	var keys []string
	for blob, err := range b.List(context.WithoutCancel(t.Context()), "bucket", "") {
		require.NoError(t, err)
		keys = append(keys, blob.Key)
	}
	slices.Sort(keys)
	return keys
}

// pointed returns the keys that the messages of queues point to, in order.
func pointed(t *testing.T, queues ...queue.Queue) []string {
	t.Helper()
	var keys []string
	for _, q := range queues {
		inspector, ok := queue.As[queue.Inspector](q)
		require.True(t, ok)
		for p, err := range inspector.Peek(context.WithoutCancel(t.Context())) {
			require.NoError(t, err)
			at, err := payload.ParsePointer(p.Body)
			require.NoError(t, err, p.Body)
			keys = append(keys, at.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// noneWithoutBlob asserts the promise of the package, and returns the orphans.
func noneWithoutBlob(t *testing.T, b payload.Blobs, queues ...queue.Queue) (orphans []string) {
	t.Helper()
	blobs, keys := list(t, b), pointed(t, queues...)
	for _, key := range keys {
		require.Contains(t, blobs, key, "a message in the queue has its blob")
	}
	for _, key := range blobs {
		if !slices.Contains(keys, key) {
			orphans = append(orphans, key)
		}
	}
	return orphans
}

// A journal notes what is done, and in which order.
type journal struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (j *journal) note(line string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// take returns the lines since the last time.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// A fault is what goes wrong with a call: an error, after the call had its
// effect or instead.
type fault struct {
	err   error
	after bool
}

// do is a call to which f happens; nil is none.
func (f *fault) do(call func() error) error {
	if f == nil {
		return call()
	}
	if f.after {
		if err := call(); err != nil {
			return err
		}
	}
	return f.err
}

// trouble decides what goes wrong with a call, by its name and what it is about.
type trouble func(call, about string) *fault

func (t trouble) with(call, about string) *fault {
	if t == nil {
		return nil
	}
	return t(call, about)
}

// brokenBlobs are blobs that note what is done, and have trouble.
type brokenBlobs struct {
	payload.Blobs
	journal *journal
	trouble trouble
}

func (b *brokenBlobs) Put(ctx context.Context, at payload.Pointer, body string) error {
	b.journal.note("put blob")
	return b.trouble.with("put", body).do(func() error { return b.Blobs.Put(ctx, at, body) })
}

func (b *brokenBlobs) Get(ctx context.Context, at payload.Pointer) (body string, err error) {
	b.journal.note("get blob")
	body, err = b.Blobs.Get(ctx, at)
	return body, b.trouble.with("get", body).do(func() error { return err })
}

func (b *brokenBlobs) Delete(ctx context.Context, at payload.Pointer) error {
	b.journal.note("delete blob")
	return b.trouble.with("delete", at.Key).do(func() error { return b.Blobs.Delete(ctx, at) })
}

func (b *brokenBlobs) List(ctx context.Context, bucket, prefix string) iter.Seq2[payload.Blob, error] {
	b.journal.note("list blobs")
	if f := b.trouble.with("list", prefix); f != nil {
		return func(yield func(payload.Blob, error) bool) { yield(payload.Blob{}, f.err) }
	}
	return b.Blobs.List(ctx, bucket, prefix)
}

// A brokenQueue is a queue that notes what is done, and has trouble.
type brokenQueue struct {
	queue.Queue
	journal *journal
	trouble trouble
}

func (q *brokenQueue) Unwrap() queue.Queue { return q.Queue }

func (q *brokenQueue) Send(ctx context.Context, m queue.Message) (sent queue.Sent, err error) {
	q.journal.note("send message")
	err = q.trouble.with("send", m.Body).do(func() error {
		sent, err = q.Queue.Send(ctx, m)
		return err
	})
	return sent, err
}

func (q *brokenQueue) SendBatch(ctx context.Context, ms []queue.Message) (sent []queue.Sent, err error) {
	q.journal.note("send messages")
	err = q.trouble.with("send", "").do(func() error {
		sent, err = q.Queue.SendBatch(ctx, ms)
		return err
	})
	return sent, err
}

func (q *brokenQueue) Delete(ctx context.Context, r queue.Receipt) error {
	q.journal.note("delete message")
	return q.trouble.with("delete", "").do(func() error { return q.Queue.Delete(ctx, r) })
}

func (q *brokenQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	q.journal.note("delete messages")
	return q.trouble.with("delete", "").do(func() error { return q.Queue.DeleteBatch(ctx, rs) })
}

// A remoteQueue is a queue as one elsewhere looks: it has no abilities, and its
// receipts are text.
type remoteQueue struct{ queue.Queue }

func (q remoteQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	got, err := q.Queue.Receive(ctx, o)
	for i := range got {
		got[i].Receipt = queue.ForeignReceipt("AQEB" + base64.StdEncoding.EncodeToString([]byte(got[i].Receipt.String())))
	}
	return got, err
}

func (q remoteQueue) receipt(r queue.Receipt) queue.Receipt {
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.String(), "AQEB"))
	if err != nil {
		return r
	}
	local, err := queue.ParseReceipt(string(text))
	if err != nil {
		return r
	}
	return local
}

func (q remoteQueue) Delete(ctx context.Context, r queue.Receipt) error {
	return q.Queue.Delete(ctx, q.receipt(r))
}

func (q remoteQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	local := make([]queue.Receipt, len(rs))
	for i, r := range rs {
		local[i] = q.receipt(r)
	}
	return q.Queue.DeleteBatch(ctx, local)
}

func (q remoteQueue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	return q.Queue.ChangeVisibility(ctx, q.receipt(r), d)
}

func (q remoteQueue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	local := slices.Clone(cs)
	for i := range local {
		local[i].Receipt = q.receipt(local[i].Receipt)
	}
	return q.Queue.ChangeVisibilityBatch(ctx, local)
}
