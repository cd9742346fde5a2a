package sqstest_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// oddly is a time that no clock of a kit would hit by itself.
const oddly = 3*time.Hour + 7*time.Minute + 12*time.Second + 345*time.Millisecond

func TestWaitForSeesTheEndOfAVisibilityTimeoutAtThatInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{VisibilityTimeout: 12 * time.Hour})
		send(t, jobs, "one")
		_ = poll(t, jobs)
		begin := time.Now()
		k.WaitFor(func() bool { return jobs.Stats().Visible == 1 })
		require.Equal(t, 12*time.Hour, time.Since(begin))
	})
}

func TestWaitForSeesWhatOthersSendAtThatInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		begin := time.Now()
		go func() {
			time.Sleep(oddly)
			send(t, jobs, "one")
		}()
		k.WaitFor(func() bool { return len(jobs.Messages()) > 0 })
		require.Equal(t, oddly, time.Since(begin))
	})
}

func TestWaitForSeesTheWholeOfAnInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		go func() {
			time.Sleep(oddly)
			send(t, jobs, "1", "2", "3", "4", "5")
		}()
		looks := []int{}
		k.WaitFor(func() bool {
			n := len(jobs.History())
			if n > 0 {
				looks = append(looks, n)
			}
			return n > 0
		})
		require.Equal(t, []int{5}, looks, "never the middle of it")
	})
}

func TestWaitForSeesTheEndOfACallAtThatInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		var ended atomic.Bool
		begin := time.Now()
		go func() {
			k.Advance(oddly)
			_, err := jobs.Receive(t.Context(), queue.ReceiveOptions{Wait: 17 * time.Second})
			require.NoError(t, err)
			ended.Store(true) // after the call
		}()
		k.WaitFor(ended.Load)
		require.Equal(t, oddly+17*time.Second, time.Since(begin))
	})
}

func TestWaitForSeesWhatIsTrueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		var done atomic.Bool
		begin := time.Now()
		go done.Store(true)
		k.WaitFor(done.Load)
		require.Equal(t, begin, time.Now(), "once everything has settled")
	})
}

// What isn't the kit's is looked at every second at first, then every minute.
func TestWaitForLooksAtOtherStateNowAndThen(t *testing.T) {
	for _, c := range []struct{ truth, seen time.Duration }{
		{time.Millisecond, time.Second},
		{time.Second, time.Second},
		{1500 * time.Millisecond, 2 * time.Second},
		{59*time.Second + 1, time.Minute},
		{time.Minute + time.Second, 2 * time.Minute},
		{oddly, 3*time.Hour + 8*time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := sqstest.New(t, sqstest.Options{})
			var done atomic.Bool
			begin := time.Now()
			time.AfterFunc(c.truth, func() { done.Store(true) })
			k.WaitFor(done.Load)
			require.Equal(t, c.seen, time.Since(begin), "true after %v", c.truth)
		})
	}
}

func TestWaitForTakesPredicatesThatUseTheKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{Delay: 90 * time.Second})
		send(t, jobs, "one")
		begin := time.Now()
		k.WaitFor(func() bool {
			k.Settle()
			return len(poll(t, jobs)) > 0
		})
		require.Equal(t, 90*time.Second, time.Since(begin), "its own calls don't wake it")
	})
}

func TestWaitForLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for patience, want := range map[time.Duration]time.Duration{0: 15 * 24 * time.Hour, oddly: oddly} {
			begin, waited := time.Now(), time.Duration(0)
			tr := try(t, func(tr *trial) {
				defer func() { waited = time.Since(begin) }()
				k := sqstest.New(tr, sqstest.Options{Patience: patience})
				jobs := k.Create("jobs", queue.Config{})
				send(tr, jobs, "one")
				k.WaitFor(func() bool { return jobs.Stats().Deleted > 0 })
				t.Error("the test goes on")
			})
			require.Equal(t, want, waited)
			require.True(t, tr.stopped)
			require.Len(t, tr.errors, 1)
			require.Contains(t, tr.said(), want.String())
			require.Contains(t, tr.said(), "WaitFor")
			require.Len(t, tr.logs, 1)
			require.Contains(t, tr.logs[0], `"one"`, "what there was instead")
		}
	})
}

func TestWaitForLooksOnceMoreAtTheEndOfItsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Patience: oddly})
		jobs := k.Create("jobs", queue.Config{})
		go func() {
			time.Sleep(oddly)
			send(t, jobs, "just in time")
		}()
		k.WaitFor(func() bool { return len(jobs.Messages()) > 0 })
	})
}

func TestWaitForOutsideOfBubblesIsBounded(t *testing.T) {
	t.Parallel()
	k := sqstest.New(t, sqstest.Options{})
	jobs := k.Create("jobs", queue.Config{})
	var mine atomic.Bool
	go func() {
		send(t, jobs, "one")
		mine.Store(true)
	}()
	k.WaitFor(func() bool { return jobs.Stats().Accepted == 1 })
	k.WaitFor(mine.Load)

	tr := try(t, func(tr *trial) {
		sqstest.New(tr, sqstest.Options{Patience: 20 * time.Millisecond}).WaitFor(func() bool { return false })
	})
	require.True(t, tr.stopped)
	require.Contains(t, tr.said(), "20ms")
}

func TestExpectNoneTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs, others := k.Create("jobs", queue.Config{}), k.Create("others", queue.Config{})
		send(t, jobs, "before") // and seen, though nobody has looked yet
		begin := time.Now()
		k.ExpectNone(oddly, nil)
		require.Equal(t, oddly, time.Since(begin))

		go func() {
			time.Sleep(time.Second)
			send(t, others, "elsewhere")
		}()
		jobs.ExpectNone(time.Hour)
		require.Equal(t, oddly+time.Hour, time.Since(begin))
		k.ExpectNone(0, nil)
		require.Equal(t, oddly+time.Hour, time.Since(begin))
	})
}

func TestExpectNoneIncludesTheInstantInWhichItEnds(t *testing.T) {
	for _, c := range []struct {
		at    time.Duration
		fails bool
	}{{time.Millisecond, true}, {oddly - 1, true}, {oddly, true}, {oddly + 1, false}} {
		synctest.Test(t, func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				k := sqstest.New(tr, sqstest.Options{})
				jobs := k.Create("jobs", queue.Config{})
				go func() {
					time.Sleep(c.at)
					send(t, jobs, "one")
				}()
				begin := time.Now()
				k.ExpectNone(oddly, nil)
				if c.fails {
					require.Equal(t, c.at, time.Since(begin), "it fails at once")
				} else {
					require.Equal(t, oddly, time.Since(begin))
				}
				k.Advance(oddly)
			})
			require.Equal(t, c.fails, tr.failed, "after %v", c.at)
			require.False(t, tr.stopped, "the test goes on")
		})
	}
}

func TestExpectNoneIncludesTheEndOfATimeoutInThatInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			send(tr, jobs, "one")
			_ = poll(tr, jobs)
			jobs.ExpectNone(queue.DefaultVisibility - time.Millisecond)
			require.Empty(t, tr.errors)
			jobs.ExpectNone(time.Millisecond, queue.StepTimedOut)
		})
		require.Equal(t, []string{`sqstest: expected nothing of the kind for 1ms, but a message of jobs was timed out 30s after New
  #1 "one"
                0s  sent
                0s  received (1), for 30s
               30s  visible again, timed out
`}, tr.errors)
	})
}

func TestExpectNoneOfSomeSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			go func() {
				time.Sleep(time.Minute)
				send(t, jobs, "one")
				work(t, jobs)
			}()
			jobs.ExpectNone(time.Hour, queue.StepTimedOut, queue.StepDeadLettered)
			require.Empty(t, tr.errors)
			go func() {
				time.Sleep(time.Minute)
				send(t, jobs, "two")
				time.Sleep(time.Minute)
				work(t, jobs)
			}()
			jobs.ExpectNone(time.Hour, queue.StepDeleted, queue.StepReceived)
		})
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "expected nothing of the kind for 1h0m0s, but a message of jobs was received 1h2m0s after New\n  #2 \"two\"\n")
	})
}

func TestExpectNoneThatMatches(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			var body atomic.Value
			body.Store("good")
			var sender sync.WaitGroup
			tr.Cleanup(sender.Wait)
			sender.Go(func() {
				for tick := time.NewTicker(time.Millisecond); ; {
					_, _ = jobs.Send(tr.Context(), queue.Message{Body: body.Load().(string)})
					select {
					case <-tick.C:
					case <-tr.Context().Done():
						return
					}
				}
			})
			ugly := func(e queue.Event) bool { return e.Body == "ugly" }
			k.ExpectNone(15*time.Millisecond, ugly)
			require.Empty(t, tr.errors)
			body.Store("ugly")
			k.ExpectNone(10*time.Second, ugly)
		})
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "but a message of jobs was accepted ")
		require.Regexp(t, `\n  #\d+ "ugly"\n +\d+ms  sent\n`, tr.said())
	})
}

func TestWaitIdleWaitsForWhatIsDelayedAndInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs, others := k.Create("jobs", queue.Config{}), k.Create("others", queue.Config{VisibilityTimeout: oddly})
		begin := time.Now()
		k.WaitIdle()
		send(t, jobs, "visible")
		k.WaitIdle()
		require.Equal(t, begin, time.Now(), "nothing is due")

		_, err := jobs.Send(t.Context(), queue.Message{Body: "delayed", Delay: 10 * time.Minute})
		require.NoError(t, err)
		k.WaitIdle()
		require.Equal(t, 10*time.Minute, time.Since(begin))

		send(t, others, "in flight")
		_ = poll(t, others)
		_ = poll(t, jobs)
		k.WaitIdle()
		require.Equal(t, 10*time.Minute+oddly, time.Since(begin), "the last of all queues")
		require.Equal(t, 2, jobs.Stats().Visible)
	})
}

func TestWaitIdleWaitsForLateDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: sqstest.Faults{LateDelete: 1}})
		jobs := k.Create("jobs", queue.Config{})
		send(t, jobs, "one")
		work(t, jobs)
		begin := time.Now()
		require.Zero(t, jobs.Stats().Deleted)
		k.WaitIdle()
		require.Equal(t, uint64(1), jobs.Stats().Deleted)
		require.InDelta(t, 5, time.Since(begin).Seconds(), 0.01, "about five seconds later, of virtual time")
		jobs.ExpectDeleted("one")
	})
}

func TestWaitIdleLosesPatience(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{Patience: 20 * time.Millisecond})
			jobs := k.Create("jobs", queue.Config{})
			send(tr, jobs, "one")
			_ = poll(tr, jobs)
			k.WaitIdle()
		})
		require.True(t, tr.stopped)
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "still delayed or in flight after 20ms")
	})
}

func TestRunUntilDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		begin := time.Now()
		require.True(t, jobs.RunUntilDrained(time.Hour), "nothing was ever there")
		require.Equal(t, begin, time.Now(), "at once")

		send(t, jobs, "one")
		require.False(t, jobs.RunUntilDrained(oddly))
		require.Equal(t, oddly, time.Since(begin), "not before the limit")
		require.False(t, jobs.RunUntilDrained(0))
		require.Equal(t, oddly, time.Since(begin))

		go func() {
			time.Sleep(oddly)
			work(t, jobs)
		}()
		require.True(t, jobs.RunUntilDrained(oddly), "in the instant in which the limit passes")
		require.Equal(t, 2*oddly, time.Since(begin))

		send(t, jobs, "in flight")
		_ = poll(t, jobs)
		require.False(t, jobs.RunUntilDrained(time.Second), "in flight is not gone")
		require.NotZero(t, time.Since(begin))
	})
}

func TestExpectDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, waited := time.Now(), time.Duration(0)
		tr := try(t, func(tr *trial) {
			defer func() { waited = time.Since(begin) }()
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			jobs.ExpectDrained(time.Hour)
			require.Equal(t, begin, time.Now())
			send(tr, jobs, "one", "two")
			go func() {
				time.Sleep(oddly)
				work(t, jobs)
			}()
			jobs.ExpectDrained(24 * time.Hour)
			require.Equal(t, oddly, time.Since(begin))
			require.Empty(t, tr.errors)

			send(tr, jobs, "left", "over")
			jobs.ExpectDrained(time.Hour)
			t.Error("the test goes on")
		})
		require.Equal(t, oddly+time.Hour, waited)
		require.True(t, tr.stopped)
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "jobs")
		require.Contains(t, tr.said(), "1h0m0s")
		require.Contains(t, tr.said(), `"left", "over"`)
	})
}

func TestRunUntilDrainedOutsideOfBubbles(t *testing.T) {
	t.Parallel()
	k := sqstest.New(t, sqstest.Options{})
	jobs := k.Create("jobs", queue.Config{})
	send(t, jobs, "one", "two")
	require.False(t, jobs.RunUntilDrained(20*time.Millisecond))
	go consume(t.Context(), jobs, func(string) error { return nil })
	require.True(t, jobs.RunUntilDrained(10*time.Second))
	k.WaitFor(func() bool { return jobs.Stats().Waiting == 1 })
}

func TestAdvanceLetsTimePassAndSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		var done atomic.Bool
		begin := time.Now()
		go func() {
			time.Sleep(oddly)
			done.Store(true)
		}()
		k.Advance(oddly - 1)
		require.False(t, done.Load())
		k.Advance(1)
		require.True(t, done.Load())
		require.Equal(t, oddly, time.Since(begin))
		k.Advance(0)
		require.Equal(t, oddly, time.Since(begin))
	})
}

func TestSettleWaitsForAllThatHappensNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		there, back := k.Create("there", queue.Config{}), k.Create("back", queue.Config{})
		go func() { // answers
			for t.Context().Err() == nil {
				ds, _ := there.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				for _, d := range ds {
					send(t, back, "re: "+d.Body)
					_ = there.Delete(t.Context(), d.Receipt)
				}
			}
		}()
		begin := time.Now()
		send(t, there, "one", "two")
		k.Settle()
		require.Len(t, back.Messages(), 2)
		require.Equal(t, begin, time.Now())
	})
}

func TestSeveralGoroutinesSettleAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				time.Sleep(time.Duration(i%4) * time.Second)
				for range 20 {
					k.Settle()
				}
				k.Advance(time.Second)
				_ = jobs.Messages()
			})
		}
		for range 5 {
			all.Go(func() { k.WaitFor(func() bool { return len(jobs.Messages()) > 0 }) })
		}
		all.Go(func() {
			k.Advance(oddly)
			send(t, jobs, "one")
		})
		begin := time.Now()
		all.Wait()
		require.Equal(t, oddly, time.Since(begin))
	})
}

func TestOutsideOfBubblesSettleReturnsAtOnce(t *testing.T) {
	k := sqstest.New(t, sqstest.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // never at rest
		for ctx.Err() == nil {
			_ = k.Seed()
		}
	}()
	k.Settle()
	k.Advance(time.Millisecond)
}

// A call may return before the kit is told of what it did, if another goroutine is about
// to tell what happened before.
func TestOutsideOfBubblesSettleWaitsForTheRecord(t *testing.T) {
	k := sqstest.New(t, sqstest.Options{})
	s := newStall()
	jobs := k.Create("jobs", queue.Config{Trace: s.trace()})
	go send(t, jobs, "first")
	<-s.reached
	send(t, jobs, "one", "two")
	time.AfterFunc(20*time.Millisecond, func() { close(s.end) })
	jobs.ExpectSent("one", 1)
	jobs.ExpectSent("two", 1)
	k.Settle()
	require.Len(t, k.History(), 3)
}

func TestOutsideOfBubblesSettleWaitsASecondAtMost(t *testing.T) {
	t.Parallel()
	k := sqstest.New(t, sqstest.Options{})
	s := newStall()
	defer close(s.end)
	jobs := k.Create("jobs", queue.Config{Trace: s.trace()})
	go send(t, jobs, "first")
	<-s.reached
	send(t, jobs, "one")
	begin := time.Now()
	k.Settle()
	require.GreaterOrEqual(t, time.Since(begin), time.Second)
	require.Less(t, time.Since(begin), 10*time.Second)
}

// What counters count is what the kit is told: else each Settle would take a second.
func TestOutsideOfBubblesSettleDoesNotWaitForNothing(t *testing.T) {
	k := sqstest.New(t, sqstest.Options{})
	for _, suffix := range []string{"", ".fifo"} {
		dead := k.Create("dead"+suffix, queue.Config{})
		jobs := k.Create("jobs"+suffix, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		sendTo(t, jobs, "a", "deleted")
		sendTo(t, jobs, "b", "bad")
		sendTo(t, jobs, "a", "deleted", "twice") // the first is a duplicate, if it is FIFO
		for _, d := range poll(t, jobs) {
			if d.Body == "bad" {
				require.NoError(t, jobs.ChangeVisibility(t.Context(), d.Receipt, 0))
			} else {
				require.NoError(t, jobs.Delete(t.Context(), d.Receipt))
			}
		}
		_ = poll(t, jobs)
		jobs.ExpectDeadLettered("bad")
		moveBack(t, k, dead)
		k.WaitFor(func() bool { return jobs.Stats().Adopted == 1 })
		sendTo(t, jobs, "c", "purged")
		purger, ok := queue.As[queue.Purger](jobs)
		require.True(t, ok)
		require.NoError(t, purger.Purge(t.Context()))
		require.NotZero(t, jobs.Stats().Purged)

		require.NoError(t, k.Broker().DeleteQueue(t.Context(), "dead"+suffix))
		sendTo(t, k.Create("dead"+suffix, queue.Config{}), "d", "new")
		begin := time.Now()
		k.Settle()
		require.Less(t, time.Since(begin), 900*time.Millisecond)
	}
}

func TestWaitForSeesChancesAtThatInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		begin := time.Now()
		go func() {
			time.Sleep(oddly)
			k.Chance(1, "crash")
		}()
		k.WaitFor(func() bool { return len(k.Faults()) > 0 })
		require.Equal(t, oddly, time.Since(begin))
	})
}

func TestExpectNoneIncludesTheInstantInWhichItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			go func() {
				k.Settle() // that is, until ExpectNone waits
				send(t, jobs, "one")
			}()
			for range 1000 {
				runtime.Gosched() // for Settle to be under way
			}
			begin := time.Now()
			jobs.ExpectNone(time.Hour)
			require.Equal(t, begin, time.Now())
		})
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "but a message of jobs was accepted 0s after New\n  #1 \"one\"\n")
	})
}
