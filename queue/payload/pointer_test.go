package payload_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
)

// The forms of the Extended Client Libraries, as their sources write them:
// PayloadS3Pointer.toJson and JsonDataConverter of payload-offloading-java,
// _store_message_in_s3 of amazon-sqs-python-extended-client-lib.
const (
	javaForm         = `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"bucket","s3Key":"key"}]`
	javaLegacyForm   = `["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"bucket","s3Key":"key"}]`
	pythonForm       = `["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "bucket", "s3Key": "key"}]`
	pythonLegacyForm = `["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": "bucket", "s3Key": "key"}]`
)

func TestPointerToTheByte(t *testing.T) {
	p := payload.Pointer{Bucket: "bucket", Key: "key"}
	require.Equal(t, javaForm, p.Body(false))
	require.Equal(t, javaLegacyForm, p.Body(true))

	// Jackson escapes what JSON demands, encoding/json more.
	odd := payload.Pointer{Bucket: "<b>&\u2028", Key: "ä\"\\/\b\f\n\r\t\x01\x1f\x7f😀"}
	require.Equal(t, `["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"<b>&`+"\u2028"+
		`","s3Key":"ä\"\\/\b\f\n\r\t\u0001\u001F`+"\x7f"+`😀"}]`, odd.Body(false))
}

// What is sent is the pointer and the attribute, to the byte.
func TestMessageToTheByte(t *testing.T) {
	for _, c := range []struct {
		legacy          bool
		class, sizeName string
	}{
		{false, "software.amazon.payloadoffloading.PayloadS3Pointer", "ExtendedPayloadSize"},
		{true, "com.amazon.sqs.javamessaging.MessageS3Pointer", "SQSLargePayloadSize"},
	} {
		inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
		q := wrap(t, inner, blobs, payload.Options{Bucket: "bucket", Prefix: "eu/orders-", Always: true, Legacy: c.legacy})
		attributes := queue.NewAttributes(map[string]queue.Value{"Hello": queue.String("World")})
		_, err := q.Send(t.Context(), queue.Message{Body: "zwölf", Attributes: attributes})
		require.NoError(t, err)

		keys := list(t, blobs)
		require.Len(t, keys, 1)
		require.Regexp(t, `^eu/orders-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, keys[0], "the key is a prefix and a UUID")
		body, err := blobs.Get(t.Context(), payload.Pointer{Bucket: "bucket", Key: keys[0]})
		require.NoError(t, err)
		require.Equal(t, "zwölf", body, "the blob is the body")

		d := one(t, inner)
		require.Equal(t, `["`+c.class+`",{"s3BucketName":"bucket","s3Key":"`+keys[0]+`"}]`, d.Body)
		require.Equal(t, queue.NewAttributes(map[string]queue.Value{
			"Hello": queue.String("World"), c.sizeName: {Type: "Number", Data: "6"},
		}), d.Attributes, "the size is in bytes of UTF-8")

		require.NoError(t, inner.ChangeVisibility(t.Context(), d.Receipt, 0))
		outside := one(t, q)
		require.Equal(t, "zwölf", outside.Body)
		require.Equal(t, attributes, outside.Attributes)
		sum := attributes.MD5()
		require.Equal(t, "7db7fb1ba7f41366a8ea5eb18220b26d", hex.EncodeToString(sum[:]), "the reserved attribute is not in the digest")
	}
}

// Every form is read, each class name with each attribute: Java writes the new
// name with the legacy attribute unless it is told otherwise.
func TestReadsAllForms(t *testing.T) {
	for _, form := range []string{javaForm, javaLegacyForm, pythonForm, pythonLegacyForm} {
		for _, names := range [][]string{{"ExtendedPayloadSize"}, {"SQSLargePayloadSize"}, {"ExtendedPayloadSize", "SQSLargePayloadSize"}} {
			inner, blobs := newStandard(t, queue.Config{}), payload.NewMemory()
			q := wrap(t, inner, blobs, payload.Options{Bucket: "elsewhere"})
			require.NoError(t, blobs.Put(t.Context(), payload.Pointer{Bucket: "bucket", Key: "key"}, "body"))
			values := map[string]queue.Value{"k": queue.String("x")}
			for _, name := range names {
				values[name] = queue.Number("4")
			}
			_, err := inner.Send(t.Context(), queue.Message{Body: form, Attributes: queue.NewAttributes(values)})
			require.NoError(t, err)

			d := one(t, q)
			require.Equal(t, "body", d.Body)
			require.Equal(t, queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")}), d.Attributes)
			require.NoError(t, q.Delete(t.Context(), d.Receipt))
			require.Empty(t, list(t, blobs))
		}
	}
}

// Without the attribute a body is what it looks like.
func TestBodyThatLooksLikeAPointer(t *testing.T) {
	q := wrap(t, newStandard(t, queue.Config{}), payload.NewMemory(), payload.Options{Bucket: "bucket"})
	send(t, q, javaForm)
	require.Equal(t, javaForm, one(t, q).Body)
}

func TestParsePointer(t *testing.T) {
	want := payload.Pointer{Bucket: "b", Key: "k"}
	const head = `["software.amazon.payloadoffloading.PayloadS3Pointer",`
	for _, body := range []string{
		head + `{"s3BucketName":"b","s3Key":"k"}]`,
		head + `{"s3Key":"k","s3BucketName":"b"}]`,
		" [\n" + head[1:] + "\t{ \"s3BucketName\" :\r\"b\",\"s3Key\":\"k\" } ] ",
		head + `{"s3BucketName":"b","s3Key":"k","s3Version":{"more":[1]}}]`,
		head + `{"s3BucketName":"\u0062","s3Key":"k"}]`,
	} {
		p, err := payload.ParsePointer(body)
		require.NoError(t, err, body)
		require.Equal(t, want, p, body)
	}
	for _, body := range []string{
		"", "[", "[]", "null", "{}", "hello", `"x"`, head, head + `]`, head + `{}]`, head + `null]`, head + `[]]`,
		head + `{"s3BucketName":"b"}]`, head + `{"s3Key":"k"}]`, head + `{"s3BucketName":"","s3Key":"k"}]`, head + `{"s3BucketName":"b","s3Key":""}]`,
		head + `{"s3BucketName":1,"s3Key":"k"}]`, head + `{"s3BucketName":null,"s3Key":"k"}]`, head + `{"s3bucketname":"b","s3key":"k"}]`,
		head + `{"s3BucketName":"b","s3Key":"k"},1]`, head + `{"s3BucketName":"b","s3Key":"k"}]]`, head + `{"s3BucketName":"b","s3Key":"k"}`,
		`["another.Class",{"s3BucketName":"b","s3Key":"k"}]`, `[1,{"s3BucketName":"b","s3Key":"k"}]`,
		`{"s3BucketName":"b","s3Key":"k"}`, strings.Repeat("[", 100_000),
	} {
		p, err := payload.ParsePointer(body)
		require.ErrorIs(t, err, payload.ErrPointerInvalid, "%.200s", body)
		require.Zero(t, p)
	}
}

// Whatever is read is written so that it is read again; nothing panics.
func FuzzParsePointer(f *testing.F) {
	for _, form := range []string{javaForm, javaLegacyForm, pythonForm, pythonLegacyForm, "", "[", `["`} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := payload.ParsePointer(body)
		if err != nil {
			require.ErrorIs(t, err, payload.ErrPointerInvalid)
			require.Zero(t, p)
			return
		}
		for _, legacy := range []bool{false, true} {
			again, err := payload.ParsePointer(p.Body(legacy))
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
	})
}
