package sqsapi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// The batches of actions on messages. An entry succeeds or fails by itself; what
// is wrong with the entries as a list fails the call.

// checkEntries says whether the IDs of a batch are such that answers can be told
// apart. kind is what an entry is called in errors.
func checkEntries(kind string, given bool, ids []string) error {
	switch {
	case !given:
		return missing("Entries")
	case len(ids) == 0:
		return &failure{emptyBatch, "There should be at least one " + kind + " in the request."}
	case len(ids) > queue.MaxBatch:
		return &failure{tooManyEntries, fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", queue.MaxBatch, len(ids))}
	}
	for i, id := range ids {
		switch {
		case id == "":
			return missing(kind + "." + strconv.Itoa(i+1) + ".Id")
		case len(id) > 80 || strings.Trim(id, idCharacters) != "":
			return &failure{invalidEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		}
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return &failure{idsNotDistinct, "Id " + id + " repeated."}
		}
		seen[id] = true
	}
	return nil
}

const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// failed is the answer for an entry that failed.
func failed(id string, err error) failedEntry {
	f := failureOf(err)
	return failedEntry{Id: id, SenderFault: f.fault() == "Sender", Code: f.code, Message: f.message}
}

// An entryError is the error of an entry of a batch: SQS says some of them in
// other words than those of a single call.
type entryError struct {
	error
	kind string // what an entry is called
	n    int    // its number, from 1
}

func (e *entryError) Unwrap() error { return e.error }

const sendEntryName = "SendMessageBatchRequestEntry"

func sendBatch(c *call, in *sendBatchInput) (*sendBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if err := checkEntries(sendEntryName, in.Entries != nil || c.query, ids); err != nil {
		return nil, err
	}
	errs := make([]error, len(ids)) // of entries
	sums := make([]digests, len(ids))
	var ms []queue.Message
	var places []int
	for i := range in.Entries {
		m, err := in.Entries[i].message(c, &sums[i])
		if in.Entries[i].MessageBody == "" {
			err = missing(sendEntryName + "." + strconv.Itoa(i+1) + ".MessageBody")
		}
		if err != nil {
			errs[i] = &entryError{err, sendEntryName, i + 1}
			if q.Kind() == queue.FIFO { // leaving one out could break its group's order
				return nil, errs[i]
			}
			continue
		}
		ms, places = append(ms, m), append(places, i)
	}
	var sent []queue.Sent
	if len(ms) > 0 {
		sent, err = c.messages(q).SendBatch(c.ctx, ms)
		if err := eachEntry(err, func(i int, err error) {
			errs[places[i]] = &entryError{err, sendEntryName, places[i] + 1}
		}); err != nil {
			return nil, &entryError{err, sendEntryName, 0}
		}
	}
	answers := make([]queue.Sent, len(ids))
	for i := range sent {
		answers[places[i]] = sent[i]
	}
	out := new(sendBatchOutput)
	for i, id := range ids {
		if errs[i] != nil {
			out.Failed = append(out.Failed, failed(id, errs[i]))
			continue
		}
		out.Successful = append(out.Successful, sentEntry{id, sendMessageOutput{
			MessageId: answers[i].ID.String(), digests: sums[i], SequenceNumber: sequenceNumber(answers[i].Sequence),
		}})
	}
	return out, nil
}

// eachEntry passes on the errors of entries, and returns that of the whole call.
func eachEntry(err error, each func(i int, err error)) error {
	var b *queue.BatchError
	if !errors.As(err, &b) {
		return err
	}
	for _, e := range b.Entries {
		each(e.Index, e.Err)
	}
	return nil
}

const deleteEntryName = "DeleteMessageBatchRequestEntry"

func deleteBatch(c *call, in *deleteBatchInput) (*deleteBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	b := handleBatch{kind: deleteEntryName}
	for _, e := range in.Entries {
		b.add(e.Id, e.ReceiptHandle, 0)
	}
	out := new(deleteBatchOutput)
	out.Successful, out.Failed, err = b.do(in.Entries != nil || c.query, func(cs []queue.VisibilityChange) error {
		rs := make([]queue.Receipt, len(cs))
		for i := range cs {
			rs[i] = cs[i].Receipt
		}
		return c.messages(q).DeleteBatch(c.ctx, rs)
	})
	return out, err
}

const changeEntryName = "ChangeMessageVisibilityBatchRequestEntry"

func changeBatch(c *call, in *changeBatchInput) (*changeBatchOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	b := handleBatch{kind: changeEntryName}
	for i, e := range in.Entries {
		b.add(e.Id, e.ReceiptHandle, 0)
		if e.VisibilityTimeout == nil {
			b.errs[i] = missing(b.kind + "." + strconv.Itoa(i+1) + ".VisibilityTimeout")
		} else {
			b.changes[i].Timeout = time.Duration(*e.VisibilityTimeout) * time.Second
		}
	}
	out := new(changeBatchOutput)
	out.Successful, out.Failed, err = b.do(in.Entries != nil || c.query, func(cs []queue.VisibilityChange) error {
		return c.messages(q).ChangeVisibilityBatch(c.ctx, cs)
	})
	return out, err
}

// A handleBatch is a batch whose entries name messages by receipt handles.
type handleBatch struct {
	kind    string // what an entry is called
	ids     []string
	handles []string
	changes []queue.VisibilityChange
	errs    []error
}

func (b *handleBatch) add(id, handle string, timeout time.Duration) {
	var err error
	var r queue.Receipt
	if strings.TrimSpace(handle) == "" {
		err = missing(b.kind + "." + strconv.Itoa(len(b.ids)+1) + ".ReceiptHandle")
	} else if r, err = queue.ParseReceipt(handle); err != nil {
		err = about(handle, err)
	}
	b.ids, b.handles, b.errs = append(b.ids, id), append(b.handles, handle), append(b.errs, err)
	b.changes = append(b.changes, queue.VisibilityChange{Receipt: r, Timeout: timeout})
}

// do makes one call for the entries that are sound.
func (b *handleBatch) do(given bool, call func([]queue.VisibilityChange) error) (done []doneEntry, bad []failedEntry, err error) {
	if err := checkEntries(b.kind, given, b.ids); err != nil {
		return nil, nil, err
	}
	var sound []queue.VisibilityChange
	var places []int
	for i := range b.changes {
		if b.errs[i] == nil {
			sound, places = append(sound, b.changes[i]), append(places, i)
		}
	}
	if len(sound) > 0 {
		err = eachEntry(call(sound), func(i int, err error) {
			at := places[i]
			b.errs[at] = &entryError{about(b.handles[at], err), b.kind, at + 1}
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for i, id := range b.ids {
		if b.errs[i] != nil {
			bad = append(bad, failed(id, b.errs[i]))
		} else {
			done = append(done, doneEntry{id})
		}
	}
	return done, bad, nil
}
