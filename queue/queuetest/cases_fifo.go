package queuetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// Sending to FIFO queues, and deduplication.

// in makes a message of a group, with a deduplication ID of its own.
func (d *desk) in(group, body string) queue.Message {
	m := d.message(body)
	m.GroupID = group
	return m
}

// sendIn sends a message of each body to the group.
func (d *desk) sendIn(group string, bodies ...string) []queue.Sent {
	d.Helper()
	var sent []queue.Sent
	for _, body := range bodies {
		sent = append(sent, d.sendMessage(d.in(group, body)))
	}
	return sent
}

// withID makes a message with a deduplication ID and a group.
func withID(group, id, body string) queue.Message {
	return queue.Message{Body: body, GroupID: group, DeduplicationID: id}
}

// duplicate asserts that m is recognised as a repetition of the original.
func (d *desk) duplicate(original queue.Sent, m queue.Message) {
	d.Helper()
	want := queue.Sent{ID: original.ID, Sequence: original.Sequence, Duplicate: true}
	require.Equal(d, want, d.sendMessage(m), "answer to a duplicate: ID and sequence of the original")
}

// original asserts that m is not recognised as a repetition.
func (d *desk) original(m queue.Message) queue.Sent {
	d.Helper()
	sent := d.sendMessage(m)
	require.False(d, sent.Duplicate, "Duplicate of a message that repeats none")
	return sent
}

var fifoSendCases = []testCase{
	{
		name: "Reference/6.1/fifo-answer",
		rule: "the answer of a FIFO queue has a sequence number, which the delivery repeats",
		kind: queue.FIFO,
		test: func(d *desk) {
			sent := d.send("a")[0]
			require.NotZero(d, sent.Sequence, "Sent.Sequence")
			require.False(d, sent.Duplicate, "Sent.Duplicate")
			require.Equal(d, sent.Sequence, d.one("a").Sequence, "Delivery.Sequence")
		},
	},
	{
		name: "Reference/5.5/fifo-sequence-rises",
		rule: "sequence numbers rise within a group, over single sends and batches",
		kind: queue.FIFO,
		test: func(d *desk) {
			sent := d.sendIn("g", "a", "b", "c")
			batch := d.sendBatch(d.in("g", "d"), d.in("g", "e"))
			var previous uint64
			for i, s := range append(append(sent, batch...), d.sendIn("g", "f")...) {
				require.Greater(d, s.Sequence, previous, "sequence number %d", i)
				previous = s.Sequence
			}
		},
	},
	{
		name: "Reference/6.2/fifo-group-required",
		rule: "a message without a group is refused as incomplete",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.refusedMessage(queue.ErrMissingParameter, queue.Message{Body: "a", DeduplicationID: "1"})
		},
	},
	{
		name: "Reference/6.2/fifo-group-required-in-batch",
		rule: "a batch with a message without a group is refused as a whole",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.batchRefused(queue.Message{Body: "a", DeduplicationID: "1"}, queue.ErrMissingParameter, queue.ErrInvalidParameter)
		},
	},
	{
		name: "Reference/6.2/fifo-deduplication-id-required",
		rule: "a message without a deduplication ID is invalid unless the queue derives one from the body",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.refusedMessage(queue.ErrInvalidParameter, queue.Message{Body: "a", GroupID: "g"})
		},
	},
	{
		name: "Reference/6.2/fifo-deduplication-id-required-in-batch",
		rule: "a batch with a message without a deduplication ID is refused as a whole",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.batchRefused(queue.Message{Body: "a", GroupID: "g"}, queue.ErrInvalidParameter)
		},
	},
	{
		name: "Reference/6.2/fifo-both-missing",
		rule: "unverified; chosen: where group and deduplication ID are missing, the group is reported",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.refusedMessage(queue.ErrMissingParameter, queue.Message{Body: "a"})
		},
	},
	{
		name: "Reference/6.2/fifo-delay",
		rule: "a message with a delay of its own is refused",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, delay := range []time.Duration{1, tick, time.Second, queue.MaxDelay} {
				m := d.message("a")
				m.Delay = delay
				d.refusedMessage(queue.ErrNotForThisQueue, m)
			}
		},
	},
	{
		name: "Reference/6.2/fifo-no-delay-is-ignored",
		rule: "an explicit delay of zero is accepted and ignored: the queue's delay still applies",
		kind: queue.FIFO,
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			m := d.message("a")
			m.Delay = queue.None
			d.sendMessage(m)
			d.receivableAt(start.Add(10*time.Second), "a")
		},
	},
	{
		name: "Reference/6.3/fifo-whole-call-fails",
		rule: "any bad entry fails a whole batch to a FIFO queue, and nothing of it is enqueued or remembered",
		kind: queue.FIFO,
		test: func(d *desk) {
			for want, bad := range map[error]queue.Message{
				queue.ErrMissingParameter: withID("g", "x", ""),
				queue.ErrInvalidContents:  withID("g", "x", "\x00"),
				queue.ErrInvalidParameter: withID("g h", "x", "a"),
				queue.ErrNotForThisQueue:  {Body: "a", GroupID: "g", DeduplicationID: "x", Delay: time.Second},
			} {
				d.batchRefused(bad, want)
			}
		},
	},
	{
		name: "Reference/6.3/fifo-size",
		rule: "an entry above the queue's size limit fails the whole batch",
		kind: queue.FIFO,
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: func(d *desk) {
			d.batchRefused(withID("g", "x", strings.Repeat("x", 1025)), queue.ErrMessageTooLarge)
		},
	},
	{
		name: "Reference/6.3/fifo-in-order",
		rule: "a batch is enqueued in the order of its entries",
		kind: queue.FIFO,
		test: func(d *desk) {
			var ms []queue.Message
			for _, body := range eleven[:10] {
				ms = append(ms, d.in("g", body))
			}
			d.sendBatch(ms...)
			require.Equal(d, eleven[:10], bodies(d.receive(10)))
		},
	},
}

// batchRefused asserts that a batch with bad among good messages is refused as
// a whole with one of the errors, and that the good ones are not taken for
// duplicates afterwards.
func (d *desk) batchRefused(bad queue.Message, want ...error) {
	d.Helper()
	good, late := d.in("g", "good"), d.in("g", "late")
	before := d.snapshot()
	sent, err := d.q.SendBatch(d.Context(), []queue.Message{good, bad, late})
	require.Error(d, err)
	d.wholeCall(err)
	matched := false
	for _, w := range want {
		matched = matched || errors.Is(err, w)
	}
	require.True(d, matched, "error of the batch is %v; want one of %v", err, want)
	for i, s := range sent {
		require.Zero(d, s, "answer for entry %d of a refused batch", i)
	}
	require.Equal(d, before, d.snapshot(), "a refused call changes nothing")
	d.original(good)
	d.original(late)
	got := d.receive(10)
	require.Equal(d, []string{"good", "late"}, bodies(got))
	require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got)))
}

var fifoDeduplicationCases = []testCase{
	{
		name: "Reference/7/explicit-id",
		rule: "a repeated deduplication ID is accepted, answered with the original's ID and sequence, and not enqueued",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.original(withID("g", "1", "a"))
			d.duplicate(first, withID("g", "1", "a"))
			d.duplicate(first, withID("g", "1", "another body"))
			next := d.original(withID("g", "2", "a"))
			require.Greater(d, next.Sequence, first.Sequence, "sequence number after duplicates")
			require.Equal(d, []string{"a", "a"}, bodies(d.receive(10)))
			require.EqualValues(d, 2, d.stats().Duplicates, "Stats.Duplicates")
			require.EqualValues(d, 2, d.stats().Accepted, "Stats.Accepted")
		},
	},
	{
		name: "Reference/7/content-based",
		rule: "with content-based deduplication equal bodies are duplicates, whatever their attributes",
		kind: queue.FIFO,
		cfg:  queue.Config{ContentDeduplication: true},
		test: func(d *desk) {
			first := d.original(queue.Message{Body: "a", GroupID: "g"})
			again := queue.Message{Body: "a", GroupID: "g"}
			again.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
			d.duplicate(first, again)
			d.original(queue.Message{Body: "b", GroupID: "g"})
			require.Equal(d, []string{"a", "b"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/5.4/fifo-content-based-id",
		rule: "a content-based deduplication ID is delivered as the hexadecimal SHA-256 of the body",
		kind: queue.FIFO,
		cfg:  queue.Config{ContentDeduplication: true},
		test: func(d *desk) {
			d.sendMessage(queue.Message{Body: "a", GroupID: "g"})
			require.Equal(d, sha256Hex("a"), d.one("a").DeduplicationID, "DeduplicationID")
		},
	},
	{
		name: "Reference/7/explicit-id-overrides-content",
		rule: "an explicit ID wins over the content's",
		kind: queue.FIFO,
		cfg:  queue.Config{ContentDeduplication: true},
		test: func(d *desk) {
			d.original(queue.Message{Body: "a", GroupID: "g"})
			first := d.original(withID("g", "1", "a"))
			d.duplicate(first, withID("g", "1", "b"))
			require.Equal(d, []string{"a", "a"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/7/explicit-id-equal-to-a-hash",
		rule: "an explicit ID equal to a previous message's hash is its duplicate",
		kind: queue.FIFO,
		cfg:  queue.Config{ContentDeduplication: true},
		test: func(d *desk) {
			first := d.original(queue.Message{Body: "a", GroupID: "g"})
			d.duplicate(first, withID("g", sha256Hex("a"), "b"))
		},
	},
	{
		name: "Reference/7/window",
		rule: "an ID is remembered for five minutes after the original",
		kind: queue.FIFO,
		test: func(d *desk) {
			start := time.Now()
			first := d.original(withID("g", "1", "a"))
			sleepUntil(start.Add(queue.DeduplicationInterval - tick))
			d.duplicate(first, withID("g", "1", "a"))
			sleepUntil(start.Add(queue.DeduplicationInterval + tick))
			d.original(withID("g", "1", "a"))
		},
	},
	{
		name: "Reference/7/window-is-not-restarted",
		rule: "unverified; chosen: a duplicate does not prolong the five minutes",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.original(withID("g", "1", "a"))
			for range 4 {
				time.Sleep(time.Minute)
				d.duplicate(first, withID("g", "1", "a"))
			}
			time.Sleep(time.Minute + tick)
			d.original(withID("g", "1", "a"))
		},
	},
	{
		name: "Reference/7/survives-receive-and-delete",
		rule: "an ID is remembered although the original was received and deleted",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.original(withID("g", "1", "a"))
			r := d.one("a").Receipt
			d.duplicate(first, withID("g", "1", "a"))
			d.delete(r)
			d.duplicate(first, withID("g", "1", "a"))
			d.staysGone()
		},
	},
	{
		name: "Reference/7/survives-retention",
		rule: "an ID is remembered although the original expired",
		kind: queue.FIFO,
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			first := d.original(withID("g", "1", "a"))
			time.Sleep(2 * time.Minute)
			d.nothing()
			d.duplicate(first, withID("g", "1", "a"))
		},
	},
	{
		name: "Reference/7/scope-queue",
		rule: "by default IDs are unique in the queue: different groups collide",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.original(withID("g1", "1", "a"))
			d.duplicate(first, withID("g2", "1", "a"))
			d.one("a")
		},
	},
	{
		name: "Reference/7/scope-group",
		rule: "with scope message group IDs are unique in their group only",
		kind: queue.FIFO,
		cfg:  queue.Config{DeduplicationScope: queue.ScopeMessageGroup},
		test: func(d *desk) {
			first := d.original(withID("g1", "1", "a"))
			second := d.original(withID("g2", "1", "a"))
			d.duplicate(first, withID("g1", "1", "a"))
			d.duplicate(second, withID("g2", "1", "a"))
			require.Len(d, d.receive(10), 2, "deliveries")
		},
	},
	{
		name: "Reference/7/scope-group-is-unambiguous",
		rule: "group and ID are not run together: (ab, c) is not (a, bc)",
		kind: queue.FIFO,
		cfg:  queue.Config{DeduplicationScope: queue.ScopeMessageGroup},
		test: func(d *desk) {
			d.original(withID("ab", "c", "a"))
			d.original(withID("a", "bc", "a"))
		},
	},
	{
		name: "Reference/7/purge-forgets",
		rule: "a purge forgets deduplication IDs",
		kind: queue.FIFO,
		test: func(d *desk) {
			first := d.original(withID("g", "1", "a"))
			d.purge()
			second := d.original(withID("g", "1", "a"))
			require.NotEqual(d, first.ID, second.ID, "IDs")
			d.duplicate(second, withID("g", "1", "a"))
			d.one("a")
		},
	},
	{
		name: "Reference/7/within-a-batch",
		rule: "unverified; chosen: in a batch the second of two equal IDs is a duplicate of the first",
		kind: queue.FIFO,
		test: func(d *desk) {
			sent := d.sendBatch(withID("g", "1", "a"), withID("g", "1", "b"), withID("g", "2", "c"))
			require.Equal(d, queue.Sent{ID: sent[0].ID, Sequence: sent[0].Sequence, Duplicate: true}, sent[1], "answer for the second")
			require.Greater(d, sent[2].Sequence, sent[0].Sequence, "sequence number of the third")
			require.Equal(d, []string{"a", "c"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/7/content-based-toggled",
		rule: "content-based deduplication can be switched on and off",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.reconfigure(func(cfg *queue.Config) { cfg.ContentDeduplication = true })
			first := d.original(queue.Message{Body: "a", GroupID: "g"})
			d.duplicate(first, queue.Message{Body: "a", GroupID: "g"})
			d.reconfigure(func(cfg *queue.Config) { cfg.ContentDeduplication = false })
			d.refusedMessage(queue.ErrInvalidParameter, queue.Message{Body: "a", GroupID: "g"})
			d.duplicate(first, withID("g", sha256Hex("a"), "a"))
		},
	},
	{
		name: "Reference/7/refused-is-not-remembered",
		rule: "the ID of a refused message is not remembered",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.refusedMessage(queue.ErrInvalidContents, withID("g", "1", "\x00"))
			d.original(withID("g", "1", "a"))
		},
	},
	{
		name: "Reference/7/equal-bodies",
		rule: "equal bodies with different IDs are different messages",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "a", "a")
			require.Equal(d, []string{"a", "a"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Invariant/6/crowd",
		rule: "no duplicates in FIFO: of many concurrent sends with one ID one is enqueued, and all are answered alike",
		kind: queue.FIFO,
		test: testDuplicateCrowd,
	},
	{
		name: "Invariant/6/many-ids",
		rule: "no duplicates in FIFO: each of thousands of IDs is recognised within five minutes",
		kind: queue.FIFO,
		test: func(d *desk) {
			var sent []queue.Sent
			for i := range 3000 {
				sent = append(sent, d.original(withID("g", fmt.Sprint(i), "a")))
				time.Sleep(10 * time.Millisecond)
			}
			for i, s := range sent {
				d.duplicate(s, withID("g", fmt.Sprint(i), "a"))
			}
		},
	},
	{
		name: "Invariant/10/duplicate-means-receivable",
		rule: "a duplicate is not answered before its original can be received",
		kind: queue.FIFO,
		test: func(d *desk) {
			for i := range 20 {
				id := fmt.Sprint(i)
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() {
						if _, err := d.q.Send(d.Context(), withID(id, id, "a")); err != nil {
							d.Errorf("Send = %v; want nil", err)
						}
						seen := d.peek()
						if len(seen) != 1 || seen[0].State != queue.Visible {
							d.Errorf("messages after a Send was answered: %+v; want one, visible", seen)
						}
					})
				}
				both.Wait()
				d.delete(d.one("a").Receipt)
			}
		},
	},
}

func testDuplicateCrowd(d *desk) {
	for round := range 50 {
		id := fmt.Sprint(round)
		answers := make([]queue.Sent, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				var err error
				if answers[i], err = d.q.Send(d.Context(), withID("g", id, id)); err != nil {
					d.Errorf("Send = %v; want nil", err)
				}
			})
		}
		all.Wait()
		originals := 0
		for _, a := range answers {
			require.Equal(d, answers[0].ID, a.ID, "ID in the answers")
			require.Equal(d, answers[0].Sequence, a.Sequence, "sequence number in the answers")
			if !a.Duplicate {
				originals++
			}
		}
		require.Equal(d, 1, originals, "answers that are not Duplicate")
		d.delete(d.one(id).Receipt)
	}
}

func sha256Hex(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}
