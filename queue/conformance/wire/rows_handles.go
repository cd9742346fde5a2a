package wire

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	expiredSentence = "Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
	goneSentence    = "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
)

// expiredHandle and goneHandle are the sentences about a handle.
func expiredHandle(handle string) string { return strings.Replace(expiredSentence, "%s", handle, 1) }

func goneHandle(handle string) string { return strings.Replace(goneSentence, "%s", handle, 1) }

var handleRows = []Row{
	{"9.1/from-the-call", "A changed visibility counts from the call, is not added to what was left, and holds for this receive only.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		d.pass(20 * time.Second)
		q.change(handle, 15)
		d.pass(14 * time.Second)
		q.nothing()
		d.pass(time.Second)
		q.take("a")
		d.pass(29 * time.Second)
		q.nothing()
		d.pass(time.Second)
		q.take("a")
	}},
	{"9.1/ranges", "VisibilityTimeout is 0 to 43200, and required.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, n := range []string{"-10", "-1", "43201", "2147483647"} {
			q.refuse(invalid, "Value "+n+" for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", "ChangeMessageVisibility",
				object{"ReceiptHandle": handle, "VisibilityTimeout": integer(n)})
		}
		q.refuse(missing, "The request must contain the parameter VisibilityTimeout.", "ChangeMessageVisibility", object{"ReceiptHandle": handle})
		q.counts(0, 1, 0)
	}},
	{"9.2/garbage", "A handle that is none has status 404, and is quoted.", Both, func(d *desk) {
		for _, q := range []*queue{d.queue("jobs"), d.queue("jobs.fifo")} {
			for _, handle := range []string{"garbage", "AQEB", "a b", "-..s3BucketName..-", "0", strings.Repeat("A", 2000)} {
				sentence := `The input receipt handle "` + handle + `" is not a valid receipt handle.`
				q.refuse(badHandle, sentence, "DeleteMessage", object{"ReceiptHandle": handle})
				q.refuse(badHandle, sentence, "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 1})
			}
		}
	}},
	{"9.2/missing", "An absent or empty handle is a missing parameter.", Both, func(d *desk) {
		for _, q := range []*queue{d.queue("jobs"), d.queue("jobs.fifo")} {
			for _, in := range []object{nil, {"ReceiptHandle": ""}} {
				q.refuse(missing, "The request must contain the parameter ReceiptHandle.", "DeleteMessage", in)
				if in == nil {
					in = object{}
				}
				in["VisibilityTimeout"] = 1
				q.refuse(missing, "The request must contain the parameter ReceiptHandle.", "ChangeMessageVisibility", in)
			}
		}
	}},
	{"9.2/standard", "A Standard queue deletes by handles that are current, expired, superseded or of gone messages; it changes by the first three.", Both, func(d *desk) {
		q := d.queue("jobs", "MessageRetentionPeriod", "60")
		q.send("a")
		first := q.take("a", object{"VisibilityTimeout": 1})
		q.change(first, 2)
		d.pass(3 * time.Second)
		q.change(first, 0)
		second := q.take("a", object{"VisibilityTimeout": 1})
		require.NotEqual(d.t, first, second, "each receive has a handle of its own")
		q.change(first, 5)
		d.pass(3 * time.Second)
		q.delete(second)
		q.counts(0, 0, 0)
		for _, handle := range []string{first, second} {
			q.delete(handle)
			q.refuse(invalid, goneHandle(handle), "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 1})
		}
		q.send("b")
		old := q.take("b")
		d.pass(time.Minute)
		q.counts(0, 0, 0)
		q.delete(old)
		q.refuse(invalid, goneHandle(old), "ChangeMessageVisibility", object{"ReceiptHandle": old, "VisibilityTimeout": 1})
	}},
	{"9.2/fifo", "A FIFO queue deletes and changes by the current handle only; others have expired, which a batch says by another code.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "5")
		q.send("a")
		first := q.take("a")
		d.pass(5 * time.Second)
		stale := func(handle string) {
			d.t.Helper()
			q.refuse(invalid, expiredHandle(handle), "DeleteMessage", object{"ReceiptHandle": handle})
			out := q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": handle}}})
			require.Equal(d.t, object{"Failed": []any{object{"Id": "1", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired"}}}, out)
			q.refuse(invalid, expiredHandle(handle), "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 1})
		}
		stale(first)
		second := q.take("a")
		stale(first)
		q.change(second, 20)
		d.pass(19 * time.Second)
		q.delete(second)
		q.counts(0, 0, 0)
	}},
	{"9.2/zero-on-fifo", "A FIFO receive that hides for no time gives a handle that has expired.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		q.send("a")
		handle := q.take("a", object{"VisibilityTimeout": 0})
		q.refuse(invalid, expiredHandle(handle), "DeleteMessage", object{"ReceiptHandle": handle})
		q.take("a")
	}},
}
