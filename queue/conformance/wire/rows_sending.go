package wire

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
)

const (
	otherKind       = "The request include parameter that is not valid for this queue type."
	idForm          = "can only include alphanumeric and punctuation characters. 1 to 128 in length."
	noDeduplication = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
	noGroup         = "The request must contain the parameter MessageGroupId."
)

var sendingRows = []Row{
	{"6.1/members", "A send answers the message's ID and the body's digest; a sequence number on a FIFO queue, and digests of attributes where some were sent.", Both, func(d *desk) {
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody"}, keysOf(d.queue("jobs").send("a")))
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody", "SequenceNumber"}, keysOf(d.queue("jobs.fifo").send("a")))
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes"}, keysOf(d.queue("jobs").send("a",
			object{"MessageAttributes": object{"k": textValue("x")}, "MessageSystemAttributes": object{"AWSTraceHeader": textValue(traceHeader)}})))
	}},
	{"6.2/delay-on-fifo", "A FIFO queue refuses a delay of one message.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		q.refuse(invalid, "Value 2 for parameter DelaySeconds is invalid. Reason: "+otherKind, "SendMessage", q.message("a", object{"DelaySeconds": 2}))
	}},
	{"6.2/delay-range", "DelaySeconds is 0 to 900.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, n := range []string{"1000", "901", "-1"} {
			q.refuse(invalid, "Value "+n+" for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", "SendMessage",
				object{"MessageBody": "a", "DelaySeconds": integer(n)})
		}
		q.send("a", object{"DelaySeconds": 900})
		q.counts(0, 0, 1)
	}},
	{"6.2/missing-group", "A FIFO message without a group is a missing parameter; in a batch an invalid one, and the whole call fails.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		q.refuse(missing, noGroup, "SendMessage", object{"MessageBody": "a", "MessageDeduplicationId": "1"})
		q.refuse(invalid, noGroup, "SendMessageBatch", object{"Entries": []object{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}, {"Id": "2", "MessageBody": "b", "MessageDeduplicationId": "2"}}})
		q.nothing()
	}},
	{"6.2/missing-deduplication-id", "A FIFO message without a deduplication ID, where none is made of the body, is an invalid parameter; in a batch the whole call fails.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		q.refuse(invalid, noDeduplication, "SendMessage", object{"MessageBody": "a", "MessageGroupId": "g"})
		q.refuse(invalid, noDeduplication, "SendMessageBatch", object{"Entries": []object{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}, {"Id": "2", "MessageBody": "b", "MessageGroupId": "g"}}})
		q.nothing()
	}},
	{"6.2/id-form", "Group and deduplication IDs have 1 to 128 ASCII letters, digits and punctuation marks; the value is quoted in the refusal.", Both, func(d *desk) {
		q, std := d.queue("jobs.fifo"), d.queue("jobs")
		const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
		q.send("a", object{"MessageGroupId": punctuation, "MessageDeduplicationId": punctuation + strings.Repeat("d", 128-len(punctuation))})
		std.send("a", object{"MessageGroupId": punctuation})
		for _, id := range []string{strings.Repeat("i", 129), "a b", "ä", "a\nb"} {
			sentence := "Value " + id + " for parameter %s is invalid. Reason: %[1]s " + idForm
			q.refuse(invalid, fmt.Sprintf(sentence, "MessageGroupId"), "SendMessage", q.message("b", object{"MessageGroupId": id}))
			q.refuse(invalid, fmt.Sprintf(sentence, "MessageDeduplicationId"), "SendMessage", q.message("b", object{"MessageDeduplicationId": id}))
			std.refuse(invalid, fmt.Sprintf(sentence, "MessageGroupId"), "SendMessage", object{"MessageBody": "b", "MessageGroupId": id})
		}
		std.refuse(invalid, "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId "+idForm, "SendMessage", object{"MessageBody": "b", "MessageGroupId": ""})
		q.refuse(invalid+"|"+missing, "", "SendMessage", q.message("b", object{"MessageGroupId": ""}))
		q.refuse(invalid, "", "SendMessage", q.message("b", object{"MessageDeduplicationId": ""}))
		content := d.queue("content.fifo", "ContentBasedDeduplication", "true")
		content.refuse(invalid, "Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId "+idForm, "SendMessage", content.message("b", object{"MessageDeduplicationId": ""}))
		// SQS's own XML can't be read where it quotes a control character.
		for _, in := range []object{{"MessageGroupId": "a\bb"}, {"MessageDeduplicationId": "a\bb"}} {
			require.Equal(d.t, 400, d.send(d.request("SendMessage", q.in(q.message("b", in)))).status)
		}
		q.counts(1, 0, 0)
	}},
}
