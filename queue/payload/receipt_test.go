package payload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/standard"
)

func TestReceiptToTheByte(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, always)
	send(t, q, "body")
	key := list(t, blobs)[0]
	text := one(t, q).Receipt.String()

	handle, ok := strings.CutPrefix(text, "-..s3BucketName..-bucket-..s3BucketName..--..s3Key..-"+key+"-..s3Key..-")
	require.True(t, ok, text)
	_, err := queue.ParseReceipt(handle)
	require.NoError(t, err, "the rest is the inner queue's receipt")
	require.NotContains(t, handle, "-", "Amazon's library for Python takes what is behind the last marker")
}

// The inner queue's receipt is found again whatever bucket and key are, as far as
// they can be told at all.
func TestReceiptsOfOddNames(t *testing.T) {
	for _, at := range []payload.Pointer{
		{Bucket: "bucket", Key: "a/b/c"},
		{Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/p", Key: "key"},
		{Bucket: "b", Key: "ä \"\\\n😀"},
		{Bucket: "b-", Key: "-k-"},
		{Bucket: "-", Key: "-"},
		{Bucket: "-..s3Key..-", Key: "-..s3BucketName..-"},
		{Bucket: "b", Key: "..s3Key..-"},
		{Bucket: "b", Key: "../../etc/passwd"},
	} {
		testReceiptOf(t, at, true)
	}
	for _, at := range []payload.Pointer{ // they hold a marker, or make one with what follows
		{Bucket: "b", Key: "-..s3Key.."},
		{Bucket: "b", Key: "-..s3Key..-"},
		{Bucket: "b", Key: "x-..s3Key..-y"},
		{Bucket: "x-..s3BucketName..-y", Key: "k"},
	} {
		testReceiptOf(t, at, false)
	}
}

func testReceiptOf(t *testing.T, at payload.Pointer, told bool) {
	t.Helper()
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, inner, blobs, always)
	require.NoError(t, blobs.Put(t.Context(), at, "body"))
	_, err := inner.Send(t.Context(), queue.Message{
		Body: at.Body(false), Attributes: queue.NewAttributes(map[string]queue.Value{payload.SizeAttribute: queue.Number("4")}),
	})
	require.NoError(t, err)
	d := one(t, q)
	require.Equal(t, "body", d.Body, "%+v", at)

	r, err := payload.ParseReceipt(d.Receipt.String())
	require.NoError(t, err)
	require.Equal(t, d.Receipt, r)
	require.NoError(t, q.Delete(t.Context(), r))
	require.Empty(t, receive(t, inner))
	s, err := inner.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Deleted, "%+v", at)
	if _, err = blobs.Get(t.Context(), at); told {
		require.ErrorIs(t, err, payload.ErrBlobNotFound, "%+v", at)
	} else {
		require.NoError(t, err, "%+v: its name can't be told in a receipt, so Delete leaves it", at)
	}
}

// A receipt that was kept as text works after a restart, for a small message and
// a large one.
func TestReceiptAsTextAfterRestart(t *testing.T) {
	st, blobs := queuetest.NewMemStore(), payload.NewMemory()
	o := payload.Options{Bucket: "bucket", Threshold: 10}
	cfg := queue.Config{Name: "q"}
	inner, err := standard.Open(t.Context(), st, cfg)
	require.NoError(t, err)
	q := wrap(t, inner, blobs, o)
	send(t, q, "small", "larger than that")
	var texts []string
	for _, d := range receive(t, q) {
		texts = append(texts, d.Receipt.String())
	}
	require.NoError(t, q.Close())

	inner, err = standard.Open(t.Context(), st.Reopen(), cfg)
	require.NoError(t, err)
	q = wrap(t, inner, blobs, o)
	require.Len(t, list(t, blobs), 1)
	for _, text := range texts {
		r, err := payload.ParseReceipt(text)
		require.NoError(t, err)
		require.NoError(t, q.Delete(t.Context(), r))
	}
	require.Empty(t, receive(t, q))
	require.Empty(t, list(t, blobs))
	require.NoError(t, q.Close())
}

func TestParseReceiptRefuses(t *testing.T) {
	_, err := payload.ParseReceipt("")
	require.ErrorIs(t, err, queue.ErrMissingParameter)
	for _, text := range []string{
		"garbage", "-..s3BucketName..-", "-..s3BucketName..-b-..s3BucketName..-", "-..s3BucketName..-b-..s3BucketName..--..s3Key..-k-..s3Key..-",
		"-..s3BucketName..--..s3BucketName..--..s3Key..-k-..s3Key..-h", "-..s3BucketName..-b-..s3BucketName..--..s3Key..--..s3Key..-h",
	} {
		_, err := payload.ParseReceipt(text)
		require.ErrorIs(t, err, queue.ErrReceiptInvalid, text)
	}
}

// Receipts that are nobody's are refused by the inner queue, and take no blob.
func TestBadReceipts(t *testing.T) {
	blobs := payload.NewMemory()
	q := wrap(t, newStandard(t, queue.Config{}), blobs, always)
	send(t, q, "body")
	key := list(t, blobs)[0]
	marked := "-..s3BucketName..-bucket-..s3BucketName..--..s3Key..-" + key + "-..s3Key..-"
	for _, r := range []queue.Receipt{
		queue.ForeignReceipt("garbage"), queue.ForeignReceipt(marked), queue.ForeignReceipt(marked + "garbage"),
		queue.NewReceipt(queue.ReceiptFields{Seq: 1}), queue.ForeignReceipt(marked + queue.NewReceipt(queue.ReceiptFields{Seq: 1}).String()),
	} {
		require.ErrorIs(t, q.Delete(t.Context(), r), queue.ErrReceiptInvalid, r)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), []queue.Receipt{r}), queue.ErrReceiptInvalid, r)
		require.ErrorIs(t, q.ChangeVisibility(t.Context(), r, 0), queue.ErrReceiptInvalid, r)
		require.ErrorIs(t, q.DeadLetter(t.Context(), r, ""), queue.ErrReceiptInvalid, r)
	}
	require.ErrorIs(t, q.Delete(t.Context(), queue.Receipt{}), queue.ErrMissingParameter)
	require.Equal(t, []string{key}, list(t, blobs))
}

// A queue whose receipts are text gets its own ones back.
func TestRemoteQueue(t *testing.T) {
	inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
	q := wrap(t, remoteQueue{inner}, blobs, always)
	send(t, q, "a", "b", "c")
	got := receive(t, q)
	require.Equal(t, []string{"a", "b", "c"}, bodies(got))
	require.Contains(t, got[0].Receipt.String(), "-..s3Key..-AQEB")

	require.NoError(t, q.ChangeVisibility(t.Context(), got[0].Receipt, 0))
	require.NoError(t, q.ChangeVisibilityBatch(t.Context(), []queue.VisibilityChange{{Receipt: got[1].Receipt}}))
	require.Equal(t, []string{"a", "b"}, bodies(receive(t, q)))
	require.NoError(t, q.Delete(t.Context(), got[0].Receipt))
	require.NoError(t, q.DeleteBatch(t.Context(), []queue.Receipt{got[1].Receipt, got[2].Receipt}))
	s, err := inner.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Deleted)
	require.Empty(t, list(t, blobs))
	require.ErrorIs(t, q.DeadLetter(t.Context(), got[0].Receipt, ""), queue.ErrUnsupported)
}

// No text panics, and what is taken comes back as it was.
func FuzzReceipt(f *testing.F) {
	f.Add("")
	f.Add("-..s3BucketName..-b-..s3BucketName..--..s3Key..-k-..s3Key..-AQEB")
	f.Add("-..s3BucketName..-b-..s3BucketName..--..s3Key..-k-..s3Key..-" + queue.NewReceipt(queue.ReceiptFields{Seq: 1}).String())
	f.Add(queue.NewReceipt(queue.ReceiptFields{Seq: 1}).String())
	inner, err := standard.New(queue.Config{})
	if err != nil {
		f.Fatal(err)
	}
	defer inner.Close()
	blobs := payload.NewMemory()
	q, err := payload.Wrap(inner, blobs, always)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := q.Send(f.Context(), queue.Message{Body: "body"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := payload.ParseReceipt(text); err == nil {
			require.Equal(t, text, r.String())
		}
		require.Error(t, q.Delete(t.Context(), queue.ForeignReceipt(text)))
		require.Len(t, list(t, blobs), 1)
	})
}
