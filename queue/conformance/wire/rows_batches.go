package wire

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
)

// batches are the three batch calls, each with an entry that lacks its Id. In
// the order of their names each leaves the handle to the next.
func (q *queue) batches() map[string]object {
	q.d.t.Helper()
	q.send("batch")
	handle := q.take("batch")
	return map[string]object{
		"SendMessageBatch":             {"MessageBody": "a"},
		"DeleteMessageBatch":           {"ReceiptHandle": handle},
		"ChangeMessageVisibilityBatch": {"ReceiptHandle": handle, "VisibilityTimeout": 40},
	}
}

var batchRows = []Row{
	{"6.3/queue-first", "A batch to a queue that isn't there is refused for that, whatever else is wrong.", Both, func(d *desk) {
		q := &queue{d, Base + "/000000000000/nosuch"}
		for action, entry := range sorted(d.queue("jobs").batches()) {
			q.refuse(noQueue, "", action, object{"Entries": entriesOf(11, entry)})
			q.refuse(noQueue, "", action, nil)
		}
	}},
	{"6.3/no-entries", "A batch without entries is refused.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action := range sorted(q.batches()) {
			if d.query { // which has no way to tell an empty list from none
				q.refuse(missing+"|EmptyBatchRequest", "", action, nil)
				continue
			}
			q.refuse(missing, "The request must contain the parameter Entries.", action, nil)
			q.refuse("EmptyBatchRequest", "There should be at least one "+action+"RequestEntry in the request.", action, object{"Entries": []object{}})
		}
	}},
	{"6.3/too-many-entries", "A batch has up to 10 entries.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action, entry := range sorted(q.batches()) {
			q.refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 20.", action, object{"Entries": entriesOf(20, entry)})
			out := q.ok(action, object{"Entries": entriesOf(10, entry)})
			require.Len(d.t, objects(out["Successful"]), 10, "entries may have the same handle")
		}
	}},
	{"6.3/ids", "An entry's Id has 1 to 80 letters, digits, hyphens and underscores.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action, entry := range sorted(q.batches()) {
			for _, id := range []string{"", " ", "a.b", "ä", strings.Repeat("i", 81)} {
				entries := entriesOf(2, entry)
				entries[1]["Id"] = id
				sentence, typ := "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.", "InvalidBatchEntryId"
				if id == "" { // empty is the same as absent, or not
					sentence, typ = "", "InvalidBatchEntryId|"+missing
				}
				q.refuse(typ, sentence, action, object{"Entries": entries})
			}
			entries := entriesOf(2, entry)
			entries[0]["Id"], entries[1]["Id"] = strings.Repeat("i", 80), "-_aZ09"
			require.Len(d.t, objects(q.ok(action, object{"Entries": entries})["Successful"]), 2)
		}
	}},
	{"6.3/distinct-ids", "The Ids of a batch differ; the first that is repeated is named.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action, entry := range sorted(q.batches()) {
			entries := entriesOf(5, entry)
			entries[3]["Id"], entries[4]["Id"] = "id1", "id0"
			q.refuse("BatchEntryIdsNotDistinct", "Id id1 repeated.", action, object{"Entries": entries})
			entries = entriesOf(2, entry)
			entries[0]["Id"], entries[1]["Id"] = "a", "A"
			require.Len(d.t, objects(q.ok(action, object{"Entries": entries})["Successful"]), 2)
		}
	}},
	{"6.3/absent-id", "An entry without an Id is a missing parameter, with its place counted from one.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action, entry := range sorted(q.batches()) {
			entries := entriesOf(3, entry)
			delete(entries[1], "Id")
			q.refuse(missing, "The request must contain the parameter "+action+"RequestEntry.2.Id.", action, object{"Entries": entries})
		}
	}},
	{"6.3/total", "A batch has up to 1048576 bytes, whatever the queue's own limit, which holds for each entry.", Both, func(d *desk) {
		q := d.queue("jobs")
		half := strings.Repeat("b", 1<<19)
		q.refuse("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.", "SendMessageBatch",
			object{"Entries": []object{{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half + "b"}}})
		q.nothing()
		require.Len(d.t, objects(q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half}}})["Successful"]), 2)
		small := d.queue("small", "MaximumMessageSize", "1024")
		out := small.ok("SendMessageBatch", object{"Entries": entriesOf(2, object{"MessageBody": strings.Repeat("b", 1024)})})
		require.Len(d.t, objects(out["Successful"]), 2)
		require.NotContains(d.t, out, "Failed")
	}},
	{"6.3/failed-entries", "Entries of a Standard queue's batch fail one by one, with status 200, by codes and sentences that count them from one.", Both, func(d *desk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		out := q.ok("SendMessageBatch", object{"Entries": []object{
			{"Id": "good", "MessageBody": "a"},
			{"Id": "nobody"},
			{"Id": "bell", "MessageBody": "\x07"},
			{"Id": "large", "MessageBody": strings.Repeat("b", 1025)},
			{"Id": "delay", "MessageBody": "b", "DelaySeconds": 901},
			{"Id": "attribute", "MessageBody": "b", "MessageAttributes": object{"k": typedValue("Text", "x")}},
			{"Id": "good2", "MessageBody": "c", "MessageAttributes": object{"k": textValue("x")}},
		}})
		ids := []any{}
		for _, s := range objects(out["Successful"]) {
			ids = append(ids, s["Id"])
		}
		require.Equal(d.t, []any{"good", "good2"}, ids)
		failed := map[any]object{}
		for _, f := range objects(out["Failed"]) {
			require.Equal(d.t, true, f["SenderFault"])
			failed[f["Id"]] = f
		}
		require.Len(d.t, failed, 5)
		require.Equal(d.t, "InvalidMessageContents", failed["bell"]["Code"])
		require.Equal(d.t, object{"Id": "large", "SenderFault": true, "Code": "InvalidParameterValue",
			"Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."}, failed["large"])
		require.Equal(d.t, "InvalidParameterValue", failed["delay"]["Code"])
		require.Equal(d.t, "InvalidParameterValue", failed["attribute"]["Code"])
		require.ElementsMatch(d.t, []string{"a", "c"}, q.bodies(nil))
		require.Equal(d.t, object{"Id": "nobody", "SenderFault": true, "Code": "MissingParameter", "Message": "The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody."}, failed["nobody"])
	}},
	{"6.3/all-fail", "A batch all of whose entries fail has status 200, and no list of successes.", Both, func(d *desk) {
		q := d.queue("jobs")
		for action, entry := range map[string]object{"SendMessageBatch": {"MessageBody": "\x07"}, "DeleteMessageBatch": {"ReceiptHandle": "nobody's"},
			"ChangeMessageVisibilityBatch": {"ReceiptHandle": "nobody's", "VisibilityTimeout": 1}} {
			out := q.ok(action, object{"Entries": entriesOf(2, entry)})
			require.NotContains(d.t, out, "Successful")
			failed := objects(out["Failed"])
			require.Len(d.t, failed, 2)
			require.Equal(d.t, "id0", failed[0]["Id"])
			require.Equal(d.t, true, failed[0]["SenderFault"])
			if action != "SendMessageBatch" {
				require.Equal(d.t, "ReceiptHandleIsInvalid", failed[0]["Code"])
			}
		}
	}},
	{"6.3/order", "A FIFO queue's batch is sent in the order of its entries.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		entries, want, last := []object{}, []string{}, ""
		for i := range 10 {
			want = append(want, fmt.Sprint("body", i))
			entries = append(entries, object{"Id": fmt.Sprint("id", 9-i), "MessageBody": want[i], "MessageGroupId": "g"})
		}
		for _, s := range objects(q.ok("SendMessageBatch", object{"Entries": entries})["Successful"]) {
			require.Greater(d.t, s["SequenceNumber"], last)
			last = s["SequenceNumber"].(string)
		}
		require.Equal(d.t, want, q.bodies(nil))
	}},
	{"9.3/missing-handles", "An entry without a handle is a missing parameter, of its own or of the whole batch.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, action := range []string{"DeleteMessageBatch", "ChangeMessageVisibilityBatch"} {
			in := object{"Entries": []object{{"Id": "1", "VisibilityTimeout": 5}}}
			if action == "DeleteMessageBatch" {
				in = object{"Entries": []object{{"Id": "1"}}}
			}
			a := q.call(action, in)
			sentence := "The request must contain the parameter " + action + "RequestEntry.1.ReceiptHandle."
			if a.fault != nil {
				d.refused(a, missing, sentence)
			} else {
				require.Equal(d.t, object{"Failed": []any{object{"Id": "1", "SenderFault": true, "Code": "MissingParameter", "Message": sentence}}}, a.out)
			}
		}
	}},
	{"9.3/entries", "Of batches to delete and to change visibility entries fail one by one, by codes of their own.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		one, two := q.take("a"), q.take("b")
		out := q.ok("ChangeMessageVisibilityBatch", object{"Entries": []object{
			{"Id": "1", "ReceiptHandle": one, "VisibilityTimeout": 0}, {"Id": "2", "ReceiptHandle": two, "VisibilityTimeout": 43201},
			{"Id": "3", "ReceiptHandle": two}, {"Id": "4", "ReceiptHandle": two, "VisibilityTimeout": -10},
		}})
		require.Equal(d.t, []any{object{"Id": "1"}}, out["Successful"])
		failed := objects(out["Failed"])
		require.Len(d.t, failed, 3)
		require.Equal(d.t, object{"Id": "2", "SenderFault": true, "Code": "InvalidParameterValue",
			"Message": "Value 43201 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200."}, failed[0])
		require.Equal(d.t, object{"Id": "3", "SenderFault": true, "Code": "MissingParameter",
			"Message": "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.3.VisibilityTimeout."}, failed[1])
		require.Equal(d.t, "Value -10 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", failed[2]["Message"])
		q.counts(1, 1, 0)
		out = q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": one}, {"Id": "2", "ReceiptHandle": "nobody's"}, {"Id": "3", "ReceiptHandle": two}, {"Id": "4", "ReceiptHandle": two}}})
		require.Equal(d.t, []any{object{"Id": "1"}, object{"Id": "3"}, object{"Id": "4"}}, out["Successful"])
		require.Equal(d.t, []any{object{"Id": "2", "SenderFault": true, "Code": "ReceiptHandleIsInvalid",
			"Message": `The input receipt handle "nobody's" is not a valid receipt handle.`}}, out["Failed"])
		q.counts(0, 0, 0)
	}},
}
