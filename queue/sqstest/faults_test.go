package sqstest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqstest"
)

// withFaults runs test in a bubble, with a kit of the seed 1 that has these faults.
func withFaults(t *testing.T, f sqstest.Faults, test func(t *testing.T, k *sqstest.Kit)) {
	t.Helper()
	t.Setenv(sqstest.SeedVariable, "")
	synctest.Test(t, func(t *testing.T) { test(t, sqstest.New(t, sqstest.Options{Faults: f})) })
}

// overSeeds runs test for the seeds 1 to n.
func overSeeds(t *testing.T, n int, f sqstest.Faults, test func(t *testing.T, k *sqstest.Kit)) {
	t.Helper()
	t.Setenv(sqstest.SeedVariable, "")
	for seed := range n {
		synctest.Test(t, func(t *testing.T) {
			test(t, sqstest.New(t, sqstest.Options{Seed: uint64(seed + 1), Faults: f}))
		})
	}
}

// sure returns the queue of that name which never misbehaves.
func sure(t *testing.T, k *sqstest.Kit, name string) *broker.Queue {
	t.Helper()
	q, err := k.Broker().GetQueue(name)
	require.NoError(t, err)
	return q
}

// put sends messages of these bodies, in order and without faults.
func put(t *testing.T, k *sqstest.Kit, name string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		m := queue.Message{Body: body}
		if sure(t, k, name).Kind() == queue.FIFO {
			m.GroupID, m.DeduplicationID = "g", body
		}
		_, err := sure(t, k, name).Send(t.Context(), m)
		require.NoError(t, err)
	}
}

// take receives from q, without waiting and without an error.
func take(t *testing.T, q queue.Queue, most int) []queue.Delivery {
	t.Helper()
	ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: most, Wait: queue.None})
	require.NoError(t, err)
	return ds
}

// takeOne receives the one message there is.
func takeOne(t *testing.T, q queue.Queue) queue.Delivery {
	t.Helper()
	ds := take(t, q, 1)
	require.Len(t, ds, 1)
	return ds[0]
}

// look returns the messages of a queue, past all faults.
func look(t *testing.T, k *sqstest.Kit, name string) (all []queue.Peeked) {
	t.Helper()
	inspector, ok := queue.As[queue.Inspector](sure(t, k, name))
	require.True(t, ok)
	for m, err := range inspector.Peek(t.Context()) {
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

// lookOne returns the one message of a queue.
func lookOne(t *testing.T, k *sqstest.Kit, name string) queue.Peeked {
	t.Helper()
	all := look(t, k, name)
	require.Len(t, all, 1)
	return all[0]
}

// kinds counts the faults that have happened.
func kinds(k *sqstest.Kit) map[sqstest.Kind]int {
	n := make(map[sqstest.Kind]int)
	for _, f := range k.Faults() {
		n[f.Kind]++
	}
	return n
}

func numbered(n int) (bodies []string) {
	for i := range n {
		bodies = append(bodies, fmt.Sprintf("m%02d", i))
	}
	return bodies
}

func bodiesOf(ds []queue.Delivery) (bodies []string) {
	for _, d := range ds {
		bodies = append(bodies, d.Body)
	}
	return bodies
}

func receiptsOf(ds []queue.Delivery) (rs []queue.Receipt) {
	for _, d := range ds {
		rs = append(rs, d.Receipt)
	}
	return rs
}

func TestDuplicateIsReceivableWhileItsReceiverIsToldTheFullTimeout(t *testing.T) {
	overSeeds(t, 50, sqstest.Faults{Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{VisibilityTimeout: time.Minute})
		put(t, k, "jobs", "a")
		first := takeOne(t, q)
		require.Equal(t, time.Now().Add(time.Minute), first.VisibleAt)
		back := lookOne(t, k, "jobs").VisibleAt
		require.True(t, back.After(time.Now()) && back.Before(first.VisibleAt), "back at %v", back)
		require.Equal(t, first.VisibleAt.Sub(back), k.Faults()[0].By)

		k.Misbehave(sqstest.Faults{})
		time.Sleep(time.Until(back) - time.Millisecond)
		require.Empty(t, take(t, q, 1), "nobody has it before")
		time.Sleep(time.Millisecond)
		second := takeOne(t, q)
		require.Equal(t, first.ID, second.ID)
		require.Equal(t, 2, second.ReceiveCount)
		require.True(t, time.Now().Before(first.VisibleAt))
		require.NoError(t, q.Delete(t.Context(), first.Receipt))
		require.Empty(t, look(t, k, "jobs"))
		require.NoError(t, q.Delete(t.Context(), second.Receipt))
	})
}

func TestReceiverWhoExtendsKeepsTheMessage(t *testing.T) {
	overSeeds(t, 30, sqstest.Faults{Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{VisibilityTimeout: time.Minute})
		put(t, k, "jobs", "a")
		d := takeOne(t, q)
		require.NoError(t, q.ChangeVisibility(t.Context(), d.Receipt, time.Hour))
		require.Equal(t, time.Now().Add(time.Hour), lookOne(t, k, "jobs").VisibleAt)
		q.ExpectNone(time.Hour-time.Millisecond, queue.StepTimedOut, queue.StepReleased)
	})
}

func TestDuplicateDoesNotSendToTheDeadLetterQueue(t *testing.T) {
	overSeeds(t, 20, sqstest.Faults{Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		dead := k.Create("dead", queue.Config{})
		q := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 3}})
		put(t, k, "jobs", "a")
		var last queue.Delivery
		for n := range 3 {
			k.WaitFor(func() bool { return q.Stats().Visible == 1 })
			last = takeOne(t, q)
			require.Equal(t, n+1, last.ReceiveCount)
		}
		require.Equal(t, last.VisibleAt, lookOne(t, k, "jobs").VisibleAt, "the last receiver has it for itself")
		require.Equal(t, map[sqstest.Kind]int{sqstest.Duplicated: 1}, kinds(k), "a duplicate that comes to nothing must leave one receive")
		require.NoError(t, q.Delete(t.Context(), last.Receipt))
		require.Empty(t, look(t, k, "dead"))
	})
}

// With a receive to spare no more than one that comes to nothing, a message whose delete
// was acknowledged must never be a dead letter.
func TestDeletedLateIsNoDeadLetter(t *testing.T) {
	overSeeds(t, 50, sqstest.Faults{LateDelete: 1, Duplicate: 0.5}, func(t *testing.T, k *sqstest.Kit) {
		for most := 1; most <= 4; most++ {
			dead := k.Create(fmt.Sprint("dead", most), queue.Config{})
			q := k.Create(fmt.Sprint("jobs", most), queue.Config{
				VisibilityTimeout: time.Second, DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: most},
			})
			put(t, k, q.Name(), "a")
			require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
			for range 20 { // somebody receives it whenever he can, and doesn't delete it
				k.Advance(700 * time.Millisecond)
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{})
				require.NoError(t, err)
			}
			require.Empty(t, look(t, k, dead.Name()))
			require.Empty(t, look(t, k, q.Name()))
		}
	})
}

func TestNoDuplicateOfWhatNobodyHolds(t *testing.T) {
	withFaults(t, sqstest.Faults{Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a")
		ds, err := q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: queue.None})
		require.NoError(t, err)
		require.Len(t, ds, 1)
		require.Empty(t, k.Faults())
		require.Equal(t, queue.Visible, lookOne(t, k, "jobs").State)
	})
}

func TestLateIsUpToTwoSeconds(t *testing.T) {
	send := map[string]func(t *testing.T, q queue.Queue, m queue.Message){
		"Send": func(t *testing.T, q queue.Queue, m queue.Message) {
			_, err := q.Send(t.Context(), m)
			require.NoError(t, err)
		},
		"SendBatch": func(t *testing.T, q queue.Queue, m queue.Message) {
			_, err := q.SendBatch(t.Context(), []queue.Message{m})
			require.NoError(t, err)
		},
	}
	for name, send := range send {
		t.Run(name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			overSeeds(t, 50, sqstest.Faults{Late: 1}, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create("jobs", queue.Config{})
				send(t, q, queue.Message{Body: "a"})
				m := lookOne(t, k, "jobs")
				late := time.Until(m.VisibleAt)
				require.Equal(t, queue.Delayed, m.State)
				require.True(t, late > 0 && late <= 2*time.Second, "late by %v", late)
				require.Equal(t, late, k.Faults()[0].By)
				seen[late] = true
				time.Sleep(late - time.Millisecond)
				require.Empty(t, take(t, q, 1))
				time.Sleep(time.Millisecond)
				require.Equal(t, "a", takeOne(t, q).Body)
			})
			require.Greater(t, len(seen), 40, "by the seed")
		})
	}
}

func TestLateMessagesAreOvertaken(t *testing.T) {
	overtaken := 0
	overSeeds(t, 40, sqstest.Faults{Late: 0.5}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		for _, body := range numbered(4) {
			_, err := q.Send(t.Context(), queue.Message{Body: body})
			require.NoError(t, err)
		}
		var got []string
		for len(got) < 4 {
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			require.NoError(t, err)
			got = append(got, bodiesOf(ds)...)
		}
		if !slices.IsSorted(got) {
			overtaken++
		}
		require.ElementsMatch(t, numbered(4), got)
	})
	require.Greater(t, overtaken, 10)
	require.Less(t, overtaken, 40)
}

func TestLateLeavesDelaysAlone(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  queue.Config
		own  time.Duration
		most time.Duration // zero: exactly ten seconds
	}{
		"the message's":              {queue.Config{}, 10 * time.Second, 0},
		"the queue's":                {queue.Config{Delay: 10 * time.Second}, 0, 0},
		"the message's of two":       {queue.Config{Delay: time.Minute}, 10 * time.Second, 0},
		"none in spite of the queue": {queue.Config{Delay: time.Minute}, queue.None, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			withFaults(t, sqstest.Faults{Late: 1}, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create("jobs", c.cfg)
				_, err := q.Send(t.Context(), queue.Message{Body: "a", Delay: c.own})
				require.NoError(t, err)
				if c.most > 0 {
					require.LessOrEqual(t, time.Until(lookOne(t, k, "jobs").VisibleAt), c.most)
					return
				}
				require.Equal(t, 10*time.Second, time.Until(lookOne(t, k, "jobs").VisibleAt))
				require.Empty(t, k.Faults())
			})
		})
	}
}

func TestShuffleIsOfTheAnswerOnly(t *testing.T) {
	orders := map[string]bool{}
	overSeeds(t, 40, sqstest.Faults{Shuffle: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", numbered(20)...)
		ds := take(t, q, 10)
		require.ElementsMatch(t, numbered(20)[:10], bodiesOf(ds), "the same messages")
		require.NotEqual(t, numbered(20)[:10], bodiesOf(ds))
		require.Equal(t, map[sqstest.Kind]int{sqstest.Shuffled: 1}, kinds(k))
		orders[fmt.Sprint(bodiesOf(ds))] = true
		for _, d := range ds { // receipts have moved along
			require.NoError(t, q.Delete(t.Context(), d.Receipt))
			q.ExpectDeleted(d.Body)
		}
	})
	require.Len(t, orders, 40)
}

func TestEmptyIsOfShortPollsAndLeavesMessagesAlone(t *testing.T) {
	for _, c := range []struct {
		inARow, empties int
	}{{0, 2}, {5, 5}, {1, 1}, {-1, 100}} {
		withFaults(t, sqstest.Faults{Empty: 1, InARow: c.inARow}, func(t *testing.T, k *sqstest.Kit) {
			q := k.Create("jobs", queue.Config{})
			require.Empty(t, take(t, q, 1))
			require.Empty(t, k.Faults(), "there was nothing")
			k.Misbehave(sqstest.Faults{})
			require.Empty(t, take(t, q, 1))
			k.Misbehave(sqstest.Faults{Empty: 1, InARow: c.inARow})
			put(t, k, "jobs", "a", "b")
			before := look(t, k, "jobs")
			empties := 0
			for empties < 100 && len(take(t, q, 1)) == 0 {
				empties++
				require.Equal(t, before, look(t, k, "jobs"))
			}
			require.LessOrEqual(t, empties, c.empties)
			require.GreaterOrEqual(t, empties, c.empties-1)
			require.Equal(t, empties, kinds(k)[sqstest.EmptyAnswer])
		})
	}
}

func TestLongPollsAreNotEmpty(t *testing.T) {
	withFaults(t, sqstest.Faults{Empty: 1, InARow: -1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		waits := k.Create("waits", queue.Config{ReceiveWait: 5 * time.Second})
		put(t, k, "jobs", "a")
		put(t, k, "waits", "a", "b")
		for _, r := range []struct {
			q    queue.Queue
			wait time.Duration
			n    int
		}{
			{q, 0, 0}, {q, queue.None, 0}, {q, time.Second, 1},
			{waits, queue.None, 0}, {waits, 0, 1}, {waits, time.Second, 1},
		} {
			ds, err := r.q.Receive(t.Context(), queue.ReceiveOptions{Wait: r.wait})
			require.NoError(t, err)
			require.Len(t, ds, r.n, "wait %v", r.wait)
		}
	})
}

func TestLateDeleteTakesEffectAfterOneMoreReceiveOrFiveSeconds(t *testing.T) {
	deletes := map[string]func(ctx context.Context, q queue.Queue, r queue.Receipt) error{
		"Delete": func(ctx context.Context, q queue.Queue, r queue.Receipt) error { return q.Delete(ctx, r) },
		"DeleteBatch": func(ctx context.Context, q queue.Queue, r queue.Receipt) error {
			return q.DeleteBatch(ctx, []queue.Receipt{r})
		},
	}
	for name, del := range deletes {
		t.Run(name, func(t *testing.T) {
			overSeeds(t, 20, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create("jobs", queue.Config{})
				put(t, k, "jobs", "a")
				d := takeOne(t, q)
				require.NoError(t, del(t.Context(), q, d.Receipt))
				require.Equal(t, map[sqstest.Kind]int{sqstest.DeletedLate: 1}, kinds(k))
				require.Len(t, look(t, k, "jobs"), 1)

				ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 5 * time.Second})
				require.NoError(t, err)
				require.Equal(t, []string{"a"}, bodiesOf(ds), "it comes once more")
				require.Equal(t, 2, ds[0].ReceiveCount)

				require.Empty(t, look(t, k, "jobs"), "gone, though somebody else holds it")
				q.ExpectNone(time.Hour)
				require.NoError(t, q.Delete(t.Context(), ds[0].Receipt), "deleting again is no error")

				put(t, k, "jobs", "b")
				require.NoError(t, del(t.Context(), q, takeOne(t, q).Receipt))
				k.Advance(4900 * time.Millisecond)
				require.Equal(t, queue.Visible, lookOne(t, k, "jobs").State)
				k.Advance(100 * time.Millisecond)
				require.Empty(t, look(t, k, "jobs"), "gone, though nobody received it again")
			})
		})
	}
}

func TestLastReceiveBeforeDeadLetteringIsDeletedAtOnce(t *testing.T) {
	withFaults(t, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
		dead := k.Create("dead", queue.Config{})
		q := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		put(t, k, "jobs", "a", "b")
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
		require.NoError(t, q.DeleteBatch(t.Context(), receiptsOf(take(t, q, 1))))
		require.Empty(t, look(t, k, "jobs"))
		require.Empty(t, k.Faults())
	})
}

func TestDrainingAndIdlingWaitForLateDeletes(t *testing.T) {
	withFaults(t, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		for n, wait := range []func(){
			func() { require.True(t, q.RunUntilDrained(time.Minute)) },
			func() {
				require.False(t, q.RunUntilDrained(5*time.Second-time.Millisecond))
				time.Sleep(time.Millisecond)
			},
			k.WaitIdle,
		} {
			put(t, k, "jobs", fmt.Sprint(n))
			require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
			begin := time.Now()
			wait()
			require.WithinRange(t, time.Now(), begin.Add(4900*time.Millisecond), begin.Add(5*time.Second))
			q.ExpectEmpty()
		}
	})
}

// A timer of a late delete that outlived the kit would be a leak to the bubble.
func TestKitEndsBeforeALateDelete(t *testing.T) {
	withFaults(t, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a")
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
	})
}

func TestLateDeletesOutliveTheMisbehaviour(t *testing.T) {
	withFaults(t, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a", "b")
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
		k.Misbehave(sqstest.Faults{})
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
		require.Len(t, look(t, k, "jobs"), 1)
		k.Advance(5 * time.Second)
		require.Empty(t, look(t, k, "jobs"))
	})
}

func TestPurgeAndDeletionOfAQueueDuringLateDeletes(t *testing.T) {
	withFaults(t, sqstest.Faults{LateDelete: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a")
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
		purger, ok := queue.As[queue.Purger](q)
		require.True(t, ok)
		require.NoError(t, purger.Purge(t.Context()))
		put(t, k, "jobs", "b")
		require.NoError(t, q.Delete(t.Context(), takeOne(t, q).Receipt))
		require.NoError(t, k.Broker().DeleteQueue(t.Context(), "jobs"))
		again := k.Create("jobs", queue.Config{})
		require.NotSame(t, q, again)
		put(t, k, "jobs", "c", "d")
		k.WaitIdle()
		require.Len(t, look(t, k, "jobs"), 2, "another queue, though of the same name and with the same positions")
		_, err := q.Receive(t.Context(), queue.ReceiveOptions{})
		require.ErrorIs(t, err, queue.ErrQueueDeleted)
	})
}

func TestExpiredIsOfWhatItsReceiverKnowsToBeOver(t *testing.T) {
	withFaults(t, sqstest.Faults{Expired: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{VisibilityTimeout: 10 * time.Second})
		put(t, k, "jobs", "a", "b")
		ds := take(t, q, 2)
		require.NoError(t, q.ChangeVisibility(t.Context(), ds[1].Receipt, 20*time.Second))
		time.Sleep(10*time.Second - time.Millisecond)
		require.NoError(t, q.ChangeVisibilityBatch(t.Context(), []queue.VisibilityChange{{Receipt: ds[0].Receipt, Timeout: 5 * time.Second}}))
		time.Sleep(5 * time.Second)
		before := look(t, k, "jobs")

		ctx, over, held := t.Context(), ds[0].Receipt, ds[1].Receipt
		for name, err := range map[string]error{
			"Delete":                q.Delete(ctx, over),
			"DeleteBatch":           q.DeleteBatch(ctx, []queue.Receipt{over}),
			"ChangeVisibility":      q.ChangeVisibility(ctx, over, time.Minute),
			"ChangeVisibilityBatch": q.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{{Receipt: over, Timeout: time.Minute}}),
		} {
			require.ErrorIs(t, err, queue.ErrReceiptExpired, name)
		}
		require.Equal(t, before, look(t, k, "jobs"), "nothing has changed")
		require.Equal(t, map[sqstest.Kind]int{sqstest.ExpiredSoon: 4}, kinds(k))

		var some *queue.BatchError
		require.ErrorAs(t, q.DeleteBatch(ctx, []queue.Receipt{held, over}), &some)
		require.Len(t, some.Entries, 1)
		require.Equal(t, 1, some.Entries[0].Index)
		require.Equal(t, "a", lookOne(t, k, "jobs").Body)

		k.Misbehave(sqstest.Faults{})
		require.NoError(t, q.Delete(ctx, over), "else it works")
		require.Empty(t, look(t, k, "jobs"))
	})
}

func TestPartialIsAtLeastOneAndLeavesTheOthers(t *testing.T) {
	for _, name := range []string{"jobs", "jobs.fifo"} {
		t.Run(name, func(t *testing.T) {
			sizes := map[int]bool{}
			overSeeds(t, 60, sqstest.Faults{Partial: 1}, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create(name, queue.Config{})
				put(t, k, name, numbered(10)...)
				ds := take(t, q, 10)
				require.True(t, len(ds) >= 1 && len(ds) < 10, "%d of 10", len(ds))
				require.Equal(t, numbered(10)[:len(ds)], bodiesOf(ds), "in order")
				require.Equal(t, 10-len(ds), q.Stats().Visible)
				require.Equal(t, map[sqstest.Kind]int{sqstest.FewerThan: 1}, kinds(k))
				sizes[len(ds)] = true
			})
			require.Len(t, sizes, 9, "by the seed")
		})
	}
}

func TestPartialNeedsMoreMessagesThanOne(t *testing.T) {
	withFaults(t, sqstest.Faults{Partial: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a")
		require.Len(t, take(t, q, 10), 1)
		require.Empty(t, take(t, q, 10))
		put(t, k, "jobs", "b", "c")
		require.Len(t, take(t, q, 0), 1)
		require.Len(t, take(t, q, 1), 1)
		require.Empty(t, k.Faults())
	})
}

// A method is one that a client may call.
type method struct {
	name string
	call func(ctx context.Context, q queue.Queue) error
}

// every returns all methods of a queue, those of a message with the receipt of one that
// is held, which is gone in the end.
func every(held queue.Receipt) []method {
	return []method{
		{"Send", func(ctx context.Context, q queue.Queue) error {
			sent, err := q.Send(ctx, queue.Message{Body: "new", GroupID: "g"})
			return onlyOf(err, sent != queue.Sent{})
		}},
		{"SendBatch", func(ctx context.Context, q queue.Queue) error {
			sent, err := q.SendBatch(ctx, []queue.Message{{Body: "new", GroupID: "g"}})
			return onlyOf(err, len(sent) > 0)
		}},
		{"Receive", func(ctx context.Context, q queue.Queue) error {
			ds, err := q.Receive(ctx, queue.ReceiveOptions{})
			return onlyOf(err, len(ds) > 0)
		}},
		{"ChangeVisibility", func(ctx context.Context, q queue.Queue) error {
			return q.ChangeVisibility(ctx, held, time.Hour)
		}},
		{"ChangeVisibilityBatch", func(ctx context.Context, q queue.Queue) error {
			return q.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{{Receipt: held, Timeout: time.Hour}})
		}},
		{"DeleteBatch", func(ctx context.Context, q queue.Queue) error { return q.DeleteBatch(ctx, []queue.Receipt{held}) }},
		{"Delete", func(ctx context.Context, q queue.Queue) error { return q.Delete(ctx, held) }},
	}
}

// onlyOf returns err, unless there is an answer beside it.
func onlyOf(err error, answered bool) error {
	if err != nil && answered {
		return fmt.Errorf("an answer beside an error, which was %v", err)
	}
	return err
}

// eachCall runs test for each call of a queue of either kind that has two messages, of
// which one is held.
func eachCall(t *testing.T, test func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, call func(context.Context) error)) {
	for _, name := range []string{"jobs", "jobs.fifo"} {
		for i, m := range every(queue.Receipt{}) {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				withFaults(t, sqstest.Faults{}, func(t *testing.T, k *sqstest.Kit) {
					q := k.Create(name, queue.Config{ContentDeduplication: name == "jobs.fifo"})
					put(t, k, name, "held")
					held := takeOne(t, q).Receipt
					_, err := sure(t, k, name).Send(t.Context(), queue.Message{Body: "other", GroupID: "h"})
					require.NoError(t, err)
					test(t, k, q, func(ctx context.Context) error { return every(held)[i].call(ctx, q) })
				})
			})
		}
	}
}

func TestThrottledCallsHaveHadNoEffect(t *testing.T) {
	eachCall(t, func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, call func(context.Context) error) {
		k.Misbehave(sqstest.Faults{Throttle: 1})
		before, counters := look(t, k, q.Name()), q.Stats()
		for range 2 {
			require.ErrorIs(t, call(t.Context()), queue.ErrThrottled)
			require.Equal(t, before, look(t, k, q.Name()))
			require.Equal(t, counters, q.Stats())
		}
		require.NoError(t, call(t.Context()), "two in a row")
		require.NotEqual(t, before, look(t, k, q.Name()))
		require.Equal(t, map[sqstest.Kind]int{sqstest.Throttled: 2}, kinds(k))
	})
}

func TestEntriesOfABatchAreThrottledOneByOne(t *testing.T) {
	mixed := 0
	overSeeds(t, 20, sqstest.Faults{}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		batch := make([]queue.Message, 10)
		for i, body := range numbered(10) {
			batch[i].Body = body
		}
		refused := func(err error, all []int) (is []int) {
			var some *queue.BatchError
			if errors.As(err, &some) {
				for _, e := range some.Entries {
					require.Equal(t, queue.ErrThrottled, errors.Unwrap(e.Err))
					is = append(is, e.Index)
				}
			} else if err != nil {
				require.ErrorIs(t, err, queue.ErrThrottled)
				return all // there is nothing that isn't throttled
			}
			require.True(t, slices.IsSorted(is))
			if len(is) > 0 && len(is) < 10 {
				mixed++
			}
			return is
		}
		throttle := func(n int, f func() error) []int {
			k.Misbehave(sqstest.Faults{Throttle: 0.5})
			err := f()
			k.Misbehave(sqstest.Faults{})
			return refused(err, indexes(n))
		}
		var sent []queue.Sent
		failed := throttle(10, func() (err error) { sent, err = q.SendBatch(t.Context(), batch); return err })
		there := map[queue.MessageID]string{}
		for _, m := range look(t, k, "jobs") {
			there[m.ID] = m.Body
		}
		require.Len(t, there, 10-len(failed))
		for i, s := range sent {
			require.Equal(t, slices.Contains(failed, i), s == queue.Sent{}, "entry %d", i)
			if !slices.Contains(failed, i) {
				require.Equal(t, batch[i].Body, there[s.ID])
			}
		}

		ds := take(t, q, 10)
		var changes []queue.VisibilityChange
		for _, d := range ds {
			changes = append(changes, queue.VisibilityChange{Receipt: d.Receipt, Timeout: time.Hour})
		}
		failed = throttle(len(ds), func() error { return q.ChangeVisibilityBatch(t.Context(), changes) })
		for i, m := range look(t, k, "jobs") {
			require.Equal(t, !slices.Contains(failed, i), time.Until(m.VisibleAt) == time.Hour)
		}
		failed = throttle(len(ds), func() error { return q.DeleteBatch(t.Context(), receiptsOf(ds)) })
		var left []string
		for _, m := range look(t, k, "jobs") {
			left = append(left, m.Body)
		}
		var kept []string
		for _, i := range failed {
			kept = append(kept, ds[i].Body)
		}
		require.Equal(t, kept, left)
	})
	require.Greater(t, mixed, 40)
}

func indexes(n int) (is []int) {
	for i := range n {
		is = append(is, i)
	}
	return is
}

func TestFIFOBatchIsThrottledAsAWhole(t *testing.T) {
	some := 0
	overSeeds(t, 40, sqstest.Faults{Throttle: 0.5}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs.fifo", queue.Config{ContentDeduplication: true})
		batch := make([]queue.Message, 10)
		for i, body := range numbered(10) {
			batch[i] = queue.Message{Body: body, GroupID: "g"}
		}
		_, err := q.SendBatch(t.Context(), batch)
		if err == nil {
			require.Len(t, look(t, k, "jobs.fifo"), 10)
			return
		}
		some++
		require.ErrorIs(t, err, queue.ErrThrottled)
		var entries *queue.BatchError
		require.False(t, errors.As(err, &entries))
		require.Empty(t, look(t, k, "jobs.fifo"))
	})
	require.Greater(t, some, 10)
	require.Less(t, some, 30)
}

// What a queue refuses it refuses whatever the faults.
func TestFaultsDoNotHideWhatIsInvalid(t *testing.T) {
	all := sqstest.Faults{Duplicate: 1, Late: 1, Shuffle: 1, Empty: 1, LateDelete: 1, Expired: 1, Partial: 1, Throttle: 0.5, Slow: 1, InARow: 1}
	overSeeds(t, 10, all, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		fifo := k.Create("jobs.fifo", queue.Config{ContentDeduplication: true})
		put(t, k, "jobs", numbered(20)...)
		ended, end := context.WithCancel(t.Context())
		end()
		big := []queue.Message{{Body: strings.Repeat("a", 700_000)}, {Body: strings.Repeat("b", 700_000)}}
		for want, call := range map[error]func() error{
			queue.ErrInvalidParameter: func() error {
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 11})
				return err
			},
			queue.ErrBatchTooLarge: func() error {
				_, err := q.SendBatch(t.Context(), big)
				return err
			},
			queue.ErrMissingParameter: func() error { // of a group
				_, err := fifo.SendBatch(t.Context(), []queue.Message{{Body: "a", GroupID: "g"}, {Body: "b"}})
				return err
			},
			context.Canceled: func() error {
				_, err := q.Receive(ended, queue.ReceiveOptions{})
				return err
			},
		} {
			err := call()
			for errors.Is(err, queue.ErrThrottled) {
				err = call()
			}
			require.ErrorIs(t, err, want)
		}
		_, err := q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: 12*time.Hour + 1})
		for errors.Is(err, queue.ErrThrottled) {
			_, err = q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: 12*time.Hour + 1})
		}
		require.ErrorIs(t, err, queue.ErrInvalidParameter)
		require.Len(t, look(t, k, "jobs"), 20)
		require.Empty(t, look(t, k, "jobs.fifo"))
	})
}

func TestCallsWhoseAnswerIsLostTookEffect(t *testing.T) {
	eachCall(t, func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, call func(context.Context) error) {
		k.Misbehave(sqstest.Faults{Lose: 1})
		before := look(t, k, q.Name())
		err := call(t.Context())
		require.ErrorIs(t, err, sqstest.ErrLost)
		require.ErrorIs(t, err, queue.ErrUncertain)
		require.NotErrorIs(t, err, queue.ErrThrottled)
		require.NotEqual(t, before, look(t, k, q.Name()))
		require.Equal(t, map[sqstest.Kind]int{sqstest.Lost: 1}, kinds(k))
	})
}

func TestRefusedCallsLoseNoAnswer(t *testing.T) {
	withFaults(t, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		_, err := q.Send(t.Context(), queue.Message{})
		require.ErrorIs(t, err, queue.ErrMissingParameter)
		require.ErrorIs(t, q.Delete(t.Context(), queue.Receipt{}), queue.ErrMissingParameter)
		_, err = q.SendBatch(t.Context(), nil)
		require.ErrorIs(t, err, queue.ErrEmptyBatch)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), make([]queue.Receipt, 11)), queue.ErrTooManyEntries)
		require.Empty(t, k.Faults())
	})
}

func TestRetryOfALostSendIsADuplicateInFIFO(t *testing.T) {
	withFaults(t, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs.fifo", queue.Config{})
		m := queue.Message{Body: "a", GroupID: "g", DeduplicationID: "1"}
		for range 2 {
			_, err := q.Send(t.Context(), m)
			require.ErrorIs(t, err, sqstest.ErrLost)
		}
		sent, err := q.Send(t.Context(), m)
		require.NoError(t, err)
		require.True(t, sent.Duplicate)
		require.Equal(t, sent.ID, lookOne(t, k, "jobs.fifo").ID)
		q.ExpectSent("a", 1)
	})
}

func TestRetryOfALostReceiveWithItsAttemptIDReturnsTheSame(t *testing.T) {
	withFaults(t, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs.fifo", queue.Config{})
		put(t, k, "jobs.fifo", "a", "b", "c")
		o := queue.ReceiveOptions{Max: 2, AttemptID: "again", Into: make([]queue.Delivery, 0, 2)}
		for range 2 {
			ds, err := q.Receive(t.Context(), o)
			require.ErrorIs(t, err, sqstest.ErrLost)
			require.Empty(t, ds)
			require.Empty(t, take(t, sure(t, k, "jobs.fifo"), 10), "the group is held")
		}
		ds, err := q.Receive(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, bodiesOf(ds))
		require.Equal(t, 1, ds[0].ReceiveCount)
		require.NoError(t, sure(t, k, "jobs.fifo").DeleteBatch(t.Context(), receiptsOf(ds)))
		require.Equal(t, "c", lookOne(t, k, "jobs.fifo").Body)
	})
}

func TestSlowIsBeforeTheCallBegins(t *testing.T) {
	for slowBy, most := range map[time.Duration]time.Duration{0: time.Second, 3 * time.Second: 3 * time.Second, time.Hour: time.Hour} {
		longest := time.Duration(0)
		overSeeds(t, 30, sqstest.Faults{Slow: 1, SlowBy: slowBy}, func(t *testing.T, k *sqstest.Kit) {
			q := k.Create("jobs", queue.Config{})
			begin := time.Now()
			_, err := q.Send(t.Context(), queue.Message{Body: "a"})
			require.NoError(t, err)
			took := time.Since(begin)
			require.True(t, took > 0 && took <= most, "%v", took)
			require.Equal(t, took, k.Faults()[0].By)
			require.Equal(t, begin.Add(took).UnixMilli(), lookOne(t, k, "jobs").SentAt.UnixMilli())
			longest = max(longest, took)
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: time.Minute})
			require.NoError(t, err)
			require.Equal(t, time.Now().Add(time.Minute), ds[0].VisibleAt, "the timeout begins when the call does")
		})
		require.Greater(t, longest, most/2)
	}
}

func TestNothingHappensIfTheContextEndsWhileTheCallIsSlow(t *testing.T) {
	eachCall(t, func(t *testing.T, k *sqstest.Kit, q *sqstest.Queue, call func(context.Context) error) {
		k.Misbehave(sqstest.Faults{Slow: 1, SlowBy: 1000 * time.Hour, Lose: 1})
		before, counters := look(t, k, q.Name()), q.Stats()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Millisecond, time.Since(begin))
		require.Equal(t, before, look(t, k, q.Name()))
		require.Equal(t, counters, q.Stats())
		require.Equal(t, map[sqstest.Kind]int{sqstest.Slowed: 1}, kinds(k))
	})
}

func TestSkewIsConstantPerSeedAndQueue(t *testing.T) {
	const most = 50 * time.Millisecond
	ahead, behind, differ := 0, 0, 0
	overSeeds(t, 40, sqstest.Faults{Skew: most}, func(t *testing.T, k *sqstest.Kit) {
		var skews []time.Duration
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := k.Create(name, queue.Config{VisibilityTimeout: time.Second})
			var last time.Duration
			for n := range 3 {
				put(t, k, name, fmt.Sprint(n))
				sent := time.Now()
				k.Advance(time.Minute)
				first := takeOne(t, q)
				skew := first.SentAt.Sub(sent)
				require.LessOrEqual(t, skew.Abs(), most)
				require.Equal(t, skew, time.Until(first.FirstReceivedAt))
				require.Equal(t, time.Now().Add(time.Second), first.VisibleAt)
				if n > 0 {
					require.Equal(t, last, skew)
				}
				last = skew
				k.Advance(time.Hour)
				again := takeOne(t, q)
				require.Equal(t, first.SentAt, again.SentAt)
				require.Equal(t, first.FirstReceivedAt, again.FirstReceivedAt)
				require.NoError(t, q.Delete(t.Context(), again.Receipt))
			}
			skews = append(skews, last)
		}
		switch {
		case skews[0] > 0:
			ahead++
		case skews[0] < 0:
			behind++
		}
		if skews[0] != skews[1] {
			differ++
		}
	})
	require.Greater(t, ahead, 10)
	require.Greater(t, behind, 10)
	require.Greater(t, differ, 30)
}

func TestInARowBoundsFailuresOfOneCall(t *testing.T) {
	for _, c := range []struct{ inARow, most int }{{0, 2}, {1, 1}, {4, 4}} {
		longest := 0
		overSeeds(t, 30, sqstest.Faults{Throttle: 0.45, Lose: 0.45, InARow: c.inARow}, func(t *testing.T, k *sqstest.Kit) {
			q := k.Create("jobs", queue.Config{})
			put(t, k, "jobs", "a")
			held := takeSurely(t, k, "jobs")
			for _, m := range every(held) {
				for failed := 0; ; failed++ {
					err := m.call(t.Context(), q)
					if err == nil {
						longest = max(longest, failed)
						break
					}
					require.True(t, errors.Is(err, sqstest.ErrLost) || errors.Is(err, queue.ErrThrottled), "%v", err)
					require.Less(t, failed, c.most, m.name)
				}
			}
		})
		require.Equal(t, c.most, longest)
	}
}

// takeSurely receives the one message of a queue, past all faults.
func takeSurely(t *testing.T, k *sqstest.Kit, name string) queue.Receipt {
	t.Helper()
	return takeOne(t, sure(t, k, name)).Receipt
}

func TestNegativeInARowIsNoBound(t *testing.T) {
	for _, f := range []sqstest.Faults{{Throttle: 1, InARow: -1}, {Lose: 1, InARow: -1}} {
		withFaults(t, f, func(t *testing.T, k *sqstest.Kit) {
			q := k.Create("jobs", queue.Config{})
			for range 100 {
				_, err := q.Send(t.Context(), queue.Message{Body: "a"})
				require.Error(t, err)
			}
			require.Len(t, k.Faults(), 100)
		})
	}
}

func TestStrictQueuesKeepTheirPromises(t *testing.T) {
	all := sqstest.Faults{Duplicate: 1, Late: 1, Shuffle: 1, Empty: 1, LateDelete: 1, Expired: 1}
	for name, cfg := range map[string]queue.Config{
		"jobs.fifo": {VisibilityTimeout: 10 * time.Second},
		"jobs":      {VisibilityTimeout: 10 * time.Second, FencedReceipts: true},
	} {
		t.Run(name, func(t *testing.T) {
			withFaults(t, all, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create(name, cfg)
				for _, body := range numbered(10) {
					m := queue.Message{Body: body}
					if q.Kind() == queue.FIFO {
						m.GroupID, m.DeduplicationID = "g", body
					}
					_, err := q.Send(t.Context(), m)
					require.NoError(t, err)
				}
				ds := take(t, q, 10)
				require.Equal(t, numbered(10), bodiesOf(ds), "at once and in order")
				for _, m := range look(t, k, name) {
					require.Equal(t, ds[0].VisibleAt, m.VisibleAt)
				}
				require.NoError(t, q.DeleteBatch(t.Context(), receiptsOf(ds[:5])))
				require.NoError(t, q.Delete(t.Context(), ds[5].Receipt))
				require.Len(t, look(t, k, name), 4)
				k.Advance(10 * time.Second)
				require.ErrorIs(t, q.Delete(t.Context(), ds[6].Receipt), queue.ErrReceiptExpired, "as without faults")
				require.Empty(t, k.Faults())
			})
		})
	}
}
