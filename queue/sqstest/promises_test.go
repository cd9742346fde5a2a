package sqstest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/queue/sqstest"
)

// Without faults a queue of a kit keeps all promises, those of the suite's cases that
// fail with a fault too. All queues of a case are one kit's.
func TestQueuesWithoutFaultsAreAsAllQueues(t *testing.T) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		t.Run(kind.String(), func(t *testing.T) {
			queuetest.TestQueue(t, harness(kind, sqstest.Options{}))
		})
	}
}

func skips(kind queue.Kind) map[string]string {
	skip := map[string]string{"Limits/QueueName/outside-" + strings.ToLower(kind.String()): "the name tells the kind"}
	large := []string{"Reference/13/fifo-at-the-limit", "Limits/InFlight/unlimited"}
	if kind == queue.Standard {
		large = []string{"Reference/13/standard-short-poll-at-the-limit", "Reference/13/standard-long-poll-at-the-limit",
			"Reference/13/standard-timeouts-make-room", "Limits/InFlight/unlimited"}
	}
	for _, name := range large {
		skip[name] = "120,000 messages take a kit a second, and the limit is the broker's"
	}
	return skip
}

// The suite makes bubbles of its own, so that Seeds can't give it kits.
func TestQueuesWithFaultsDeliverAtLeastOnce(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	for _, profile := range []struct {
		name   string
		faults sqstest.Faults
		seeds  int
		short  int // how many of them with -short
	}{
		{"realistic", sqstest.Realistic(), 60, 4},
		{"often", often(0.3), 10, 1},
	} {
		if testing.Short() {
			profile.seeds = profile.short
		}
		for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
			for seed := range profile.seeds {
				t.Run(fmt.Sprintf("%s/%s/seed=%d", profile.name, kind, seed+1), func(t *testing.T) {
					h := harness(kind, sqstest.Options{Seed: uint64(seed + 1), Faults: profile.faults})
					h.Skip = nil
					queuetest.TestAtLeastOnce(t, h)
				})
			}
		}
	}
}

// harness describes queues of kits with these options. The kit of a case is closed
// after its queues.
func harness(kind queue.Kind, o sqstest.Options) queuetest.Harness {
	kits := make(map[*testing.T]*sqstest.Kit)
	made := 0
	return queuetest.Harness{
		Kind:   kind,
		Skip:   skips(kind),
		Source: func(name string) string { return broker.Scope{}.ARN(name) },
		New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
			k := kits[t]
			if k == nil {
				k = sqstest.New(t, o)
				kits[t] = k
				t.Cleanup(func() { delete(kits, t) })
			}
			name := cfg.Name
			if name == "" {
				made++
				name = fmt.Sprintf("unnamed-%d", made)
				if kind == queue.FIFO {
					name += ".fifo"
				}
			}
			if _, err := k.Broker().GetQueue(name); err == nil { // a case tries one after the other
				if err := k.Broker().DeleteQueue(t.Context(), name); err != nil {
					return nil, err
				}
			}
			// Kit.Create fails the test where a case wants the error.
			tried := cfg
			if target, ok := cfg.DeadLetter.Target.(*sqstest.Queue); ok {
				tried.DeadLetter.Target = target.Unwrap().(*broker.Queue)
			}
			if _, err := k.Broker().Create(t.Context(), name, tried); err != nil {
				return nil, err
			}
			return k.Create(name, cfg), nil
		},
	}
}

// Eight consumers, four producers and somebody who looks on, all at the same time.
func TestNothingIsLostOrInventedAmongMany(t *testing.T) {
	for _, name := range []string{"jobs", "jobs.fifo"} {
		t.Run(name, func(t *testing.T) {
			overSeeds(t, 10, often(0.3), func(t *testing.T, k *sqstest.Kit) {
				dead := k.Create("dead"+strings.TrimPrefix(name, "jobs"), queue.Config{})
				q := k.Create(name, queue.Config{
					VisibilityTimeout: 30 * time.Second, DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 50},
				})
				var producers, others sync.WaitGroup
				for p := range 4 {
					producers.Go(func() {
						for i := range 10 {
							body := fmt.Sprint("p", p, "-", i)
							m := queue.Message{Body: body, GroupID: fmt.Sprint("g", p)}
							if q.Kind() == queue.FIFO {
								m.DeduplicationID = body
							}
							for accepted := false; !accepted; {
								_, err := q.Send(t.Context(), m)
								accepted = err == nil
							}
						}
					})
				}
				stop := make(chan struct{})
				for range 8 {
					others.Go(func() { consumeUntil(t, q, stop) })
				}
				others.Go(func() {
					for range 20 {
						_, _, _, _ = k.Faults(), q.Stats(), q.History(), k.Chance(0.5, "look")
						time.Sleep(time.Second)
					}
				})
				producers.Wait()
				q.ExpectDrained(24 * time.Hour)
				close(stop)
				others.Wait()

				sent := map[string]bool{}
				for _, l := range q.History() {
					require.True(t, l.Deleted(), l)
					sent[l.Body] = true
				}
				require.Len(t, sent, 40)
				require.Empty(t, look(t, k, dead.Name()))
				if q.Kind() == queue.FIFO {
					require.Len(t, q.History(), 40, "no duplicates, though answers were lost")
				}
			})
		})
	}
}

// consumeUntil deletes all that it receives from q, until stop is closed.
func consumeUntil(t *testing.T, q queue.Queue, stop <-chan struct{}) {
	into := make([]queue.Delivery, 0, 10)
	for {
		select {
		case <-stop:
			return
		default:
		}
		ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: 5 * time.Second, Into: into})
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for _, d := range ds {
			for tries := 0; tries < 5; tries++ {
				err := q.Delete(t.Context(), d.Receipt)
				if err == nil || errors.Is(err, queue.ErrReceiptExpired) {
					break
				}
			}
		}
	}
}

func TestReceiptsOfOtherQueuesAreRefused(t *testing.T) {
	all := often(1)
	all.Throttle, all.Lose, all.Slow, all.Empty = 0, 0, 0, 0
	withFaults(t, all, func(t *testing.T, k *sqstest.Kit) {
		q, other := k.Create("jobs", queue.Config{}), k.Create("other", queue.Config{})
		put(t, k, "jobs", "a")
		put(t, k, "other", "b")
		own, foreign := takeOne(t, q).Receipt, takeOne(t, other).Receipt
		before := look(t, k, "jobs")
		require.ErrorIs(t, q.Delete(t.Context(), foreign), queue.ErrReceiptInvalid)
		require.ErrorIs(t, q.ChangeVisibility(t.Context(), foreign, 0), queue.ErrReceiptInvalid)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), []queue.Receipt{foreign}), queue.ErrReceiptInvalid)
		require.ErrorIs(t, q.Delete(t.Context(), queue.Receipt{}), queue.ErrMissingParameter)
		require.ErrorIs(t, q.Delete(t.Context(), queue.ForeignReceipt("x")), queue.ErrReceiptInvalid)
		require.Equal(t, before, look(t, k, "jobs"))
		var some *queue.BatchError
		require.ErrorAs(t, q.DeleteBatch(t.Context(), []queue.Receipt{foreign, own}), &some)
		require.Len(t, some.Entries, 1)
		require.Equal(t, 0, some.Entries[0].Index)
	})
}

func TestBatchesWithTooManyEntriesAreRefused(t *testing.T) {
	all := often(1)
	all.Throttle = 0
	withFaults(t, all, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		_, err := q.SendBatch(t.Context(), make([]queue.Message, 11))
		require.ErrorIs(t, err, queue.ErrTooManyEntries)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), make([]queue.Receipt, 11)), queue.ErrTooManyEntries)
		require.ErrorIs(t, q.ChangeVisibilityBatch(t.Context(), make([]queue.VisibilityChange, 11)), queue.ErrTooManyEntries)
		require.ErrorIs(t, q.DeleteBatch(t.Context(), nil), queue.ErrEmptyBatch)
		require.ErrorIs(t, q.ChangeVisibilityBatch(t.Context(), nil), queue.ErrEmptyBatch)
	})
}

func TestIntoIsTheMemoryOfTheAnswer(t *testing.T) {
	withFaults(t, sqstest.Faults{Partial: 1, Shuffle: 1, Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", numbered(10)...)
		into := make([]queue.Delivery, 10)
		ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Into: into})
		require.NoError(t, err)
		require.NotEmpty(t, ds)
		require.Same(t, &into[0], &ds[0])
	})
}
