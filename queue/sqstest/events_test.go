package sqstest_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqstest"
)

// follow collects a kit's events until ctx ends or the kit does.
func follow(ctx context.Context, k *sqstest.Kit) (all *[]queue.Event, ended <-chan struct{}) {
	all = new([]queue.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range k.Events(ctx) {
			*all = append(*all, e)
		}
	}()
	return all, done
}

// steps says what happened, in which queue.
func steps(events []queue.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Queue+" "+e.Step.String())
	}
	return all
}

func TestEventsComeFromTheBeginningToAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		early, _ := follow(t.Context(), k)
		second, _ := follow(t.Context(), k)
		send(t, jobs, "one")
		k.Settle()
		soFar := len(*early)
		require.NotZero(t, soFar, "as soon as they happen")

		k.Advance(time.Hour)
		work(t, jobs)
		late, _ := follow(t.Context(), k)
		k.Settle()
		require.Greater(t, len(*early), soFar)
		require.Equal(t, *early, *second)
		require.Equal(t, *early, *late, "also to who comes late")
		require.Equal(t, []string{"jobs accepted", "jobs visible", "jobs received", "jobs deleted"}, steps(*late))
		last := (*late)[3]
		require.Equal(t, "one", last.Body)
		require.Equal(t, time.Now(), last.At)
		require.Equal(t, jobs.Message("one").ID, last.ID)
	})
}

func TestEventsEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		send(t, jobs, "one")
		ctx, stop := context.WithTimeout(t.Context(), oddly)
		defer stop()
		begin := time.Now()
		n := 0
		for range k.Events(ctx) {
			n++
		}
		require.Equal(t, oddly, time.Since(begin))
		require.Len(t, jobs.Message("one").Events, n)

		again := 0
		for range k.Events(ctx) {
			again++
		}
		require.Equal(t, n, again, "with an ended context: all so far, without waiting")
	})
}

func TestEventsEndWithTheKit(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		var all *[]queue.Event
		var ended <-chan struct{}
		var k *sqstest.Kit
		tr := try(t, func(tr *trial) {
			k = sqstest.New(tr, sqstest.Options{})
			all, ended = follow(context.Background(), k)
			send(tr, k.Create("jobs", queue.Config{}), "one")
		})
		<-ended
		require.Empty(t, tr.errors, "to follow events is no call that is left")
		require.NotEmpty(t, *all, "what happened until then")
		afterwards, ended := follow(context.Background(), k)
		<-ended
		require.Equal(t, *all, *afterwards)
	})
}

func TestEventsCanBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		go func() {
			time.Sleep(oddly)
			send(t, jobs, "one", "two")
		}()
		begin := time.Now()
		for e := range k.Events(t.Context()) {
			if e.Step == queue.StepAccepted {
				require.Equal(t, "one", e.Body)
				break
			}
		}
		require.Equal(t, oddly, time.Since(begin))
		k.Settle()
		require.Len(t, k.History(), 2)
	})
}

func TestWhoFollowsEventsMayActOnThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs, copies := k.Create("jobs", queue.Config{}), k.Create("copies", queue.Config{})
		go func() {
			for e := range k.Events(t.Context()) {
				if e.Queue == "jobs" && e.Step == queue.StepAccepted {
					send(t, copies, e.Body)
				}
			}
		}()
		send(t, jobs, "one", "two")
		k.Settle()
		copies.ExpectSent("one", 1)
		copies.ExpectSent("two", 1)
	})
}

// A way is how the life of a message named "m" goes, and what is known of it then.
type way struct {
	happens                     func(t *testing.T, k *sqstest.Kit, jobs, dead *sqstest.Queue)
	in                          string
	received                    int
	deleted, deadLettered, gone bool
	steps                       []string
}

func TestEveryWayOfLife(t *testing.T) {
	for name, w := range map[string]way{
		"just sent": {
			func(*testing.T, *sqstest.Kit, *sqstest.Queue, *sqstest.Queue) {},
			"jobs", 0, false, false, false,
			[]string{"jobs accepted", "jobs visible"},
		},
		"in flight": {
			func(t *testing.T, _ *sqstest.Kit, jobs, _ *sqstest.Queue) { _ = poll(t, jobs) },
			"jobs", 1, false, false, false,
			[]string{"jobs accepted", "jobs visible", "jobs received"},
		},
		"deleted": {
			func(t *testing.T, _ *sqstest.Kit, jobs, _ *sqstest.Queue) { work(t, jobs) },
			"", 1, true, false, true,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs deleted"},
		},
		"timed out": {
			func(t *testing.T, k *sqstest.Kit, jobs, _ *sqstest.Queue) {
				_ = poll(t, jobs)
				k.Advance(queue.DefaultVisibility)
			},
			"jobs", 1, false, false, false,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs timed out"},
		},
		"released": {
			func(t *testing.T, _ *sqstest.Kit, jobs, _ *sqstest.Queue) {
				require.NoError(t, jobs.ChangeVisibility(t.Context(), poll(t, jobs)[0].Receipt, 0))
			},
			"jobs", 1, false, false, false,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs released"},
		},
		"extended": {
			func(t *testing.T, _ *sqstest.Kit, jobs, _ *sqstest.Queue) {
				require.NoError(t, jobs.ChangeVisibility(t.Context(), poll(t, jobs)[0].Receipt, time.Hour))
			},
			"jobs", 1, false, false, false,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs extended"},
		},
		"expired": {
			func(_ *testing.T, k *sqstest.Kit, _, _ *sqstest.Queue) { k.Advance(queue.DefaultRetention) },
			"", 0, false, false, true,
			[]string{"jobs accepted", "jobs visible", "jobs expired"},
		},
		"purged": {
			func(t *testing.T, _ *sqstest.Kit, jobs, _ *sqstest.Queue) {
				purger, ok := queue.As[queue.Purger](jobs)
				require.True(t, ok)
				require.NoError(t, purger.Purge(t.Context()))
			},
			"", 0, false, false, true,
			[]string{"jobs accepted", "jobs visible", "jobs purged"},
		},
		"dead-lettered": {
			func(t *testing.T, k *sqstest.Kit, jobs, _ *sqstest.Queue) { tooOften(t, k, jobs) },
			"dead", 2, false, true, false,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs timed out", "jobs received", "jobs timed out",
				"jobs dead-lettered", "dead adopted"},
		},
		"dead-lettered, and deleted there": {
			func(t *testing.T, k *sqstest.Kit, jobs, dead *sqstest.Queue) {
				tooOften(t, k, jobs)
				k.Advance(time.Hour)
				work(t, dead)
			},
			"", 3, true, true, true,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs timed out", "jobs received", "jobs timed out",
				"jobs dead-lettered", "dead adopted", "dead received", "dead deleted"},
		},
		"dead-lettered, and moved back": {
			func(t *testing.T, k *sqstest.Kit, jobs, dead *sqstest.Queue) {
				tooOften(t, k, jobs)
				moveBack(t, k, dead)
			},
			"", 2, false, true, true,
			[]string{"jobs accepted", "jobs visible", "jobs received", "jobs timed out", "jobs received", "jobs timed out",
				"jobs dead-lettered", "dead adopted", "dead moved"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := sqstest.New(t, sqstest.Options{})
				dead := k.Create("dead", queue.Config{})
				jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
				sendTo(t, jobs, "group", "m")
				w.happens(t, k, jobs, dead)

				l := jobs.History()[0]
				require.Equal(t, w.steps, steps(l.Events))
				require.Equal(t, "m", l.Body)
				require.Equal(t, "group", l.GroupID)
				require.Equal(t, w.in, l.In())
				require.Equal(t, w.received, l.Received())
				require.Equal(t, w.deleted, l.Deleted())
				require.Equal(t, w.deadLettered, l.DeadLettered())
				require.Equal(t, w.gone, l.Gone())
				require.Equal(t, l, k.History()[0], "told alike from everywhere")
				if w.deadLettered {
					require.Equal(t, l, dead.History()[0])
				} else {
					require.Empty(t, dead.History())
				}
				for _, e := range l.Events {
					require.Equal(t, l.ID, e.ID)
					require.Equal(t, "m", e.Body)
				}
			})
		})
	}
}

// tooOften receives from jobs until its messages are in the dead-letter queue.
func tooOften(t *testing.T, k *sqstest.Kit, jobs *sqstest.Queue) {
	t.Helper()
	for len(poll(t, jobs)) > 0 {
		k.Advance(queue.DefaultVisibility)
	}
}

// moveBack moves the messages of a dead-letter queue to where they came from.
func moveBack(t *testing.T, k *sqstest.Kit, dead *sqstest.Queue) {
	t.Helper()
	_, err := k.Broker().StartMoveTask(t.Context(), broker.MoveOptions{Source: dead.ARN()})
	require.NoError(t, err)
	k.Settle()
}

func TestALifeOfADelayedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{Delay: time.Minute})
		send(t, jobs, "one")
		l := jobs.Message("one")
		require.Equal(t, []string{"jobs accepted", "jobs delayed"}, steps(l.Events))
		require.Equal(t, time.Now().Add(time.Minute), l.Events[1].Until)
		require.Equal(t, "jobs", l.In())
		require.False(t, l.Gone())
		k.Advance(time.Minute)
		require.Len(t, l.Events, 2, "a life that was asked for doesn't change")
		require.Equal(t, []string{"jobs accepted", "jobs delayed", "jobs visible"}, steps(jobs.Message("one").Events))
	})
}

func TestAMoveTaskMakesNewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		send(t, jobs, "one")
		tooOften(t, k, jobs)
		moveBack(t, k, dead)

		lives := jobs.History()
		require.Len(t, lives, 2)
		require.Equal(t, []string{"one", "one"}, []string{lives[0].Body, lives[1].Body})
		require.NotEqual(t, lives[0].ID, lives[1].ID)
		require.True(t, lives[0].Gone())
		require.Equal(t, "jobs", lives[1].In())
		require.Zero(t, lives[1].Received())
		require.False(t, lives[1].DeadLettered())
		dead.ExpectEmpty()
		jobs.ExpectSent("one", 1) // the second came without a send
		work(t, jobs)
		require.Equal(t, "", jobs.History()[1].In())
		jobs.ExpectReceived("one", 2)
	})
}

func TestHistoryIsInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		others := k.Create("others", queue.Config{})
		bodies := func(lives []*sqstest.Life) (all []string) {
			for _, l := range lives {
				all = append(all, l.Body)
			}
			return all
		}
		send(t, jobs, "1", "2")
		send(t, others, "a")
		send(t, jobs, "3")
		send(t, dead, "straight")
		work(t, others)
		second := poll(t, jobs)[1]
		require.NoError(t, jobs.ChangeVisibility(t.Context(), second.Receipt, 0))
		_ = poll(t, jobs) // finds it received too often
		k.Advance(queue.DefaultVisibility)
		_ = poll(t, jobs)

		require.Equal(t, []string{"1", "2", "3"}, bodies(jobs.History()))
		require.Equal(t, []string{"straight", "2", "1", "3"}, bodies(dead.History()))
		require.Equal(t, []string{"a"}, bodies(others.History()), "also what is gone")
		require.Equal(t, []string{"1", "2", "3", "a", "straight"}, bodies(k.History()), "each once, by the queue where it began")
	})
}

func TestMessageIsTheOneOfThatBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs, others := k.Create("jobs", queue.Config{}), k.Create("others", queue.Config{})
			send(tr, jobs, "one", "two", "two")
			send(tr, others, "one")
			work(tr, jobs)
			require.Equal(t, 1, jobs.Message("one").Received())
			require.Zero(t, others.Message("one").Received())

			apart(func() { jobs.Message("none") })
			require.Len(t, tr.errors, 1)
			require.Contains(t, tr.errors[0], `sqstest: 0 messages "none" were in jobs, want 1`)
			require.True(t, tr.stopped)

			jobs.Message("two")
			t.Error("the test goes on")
		})
		require.Len(t, tr.errors, 2)
		require.Contains(t, tr.errors[1], `sqstest: 2 messages "two" were in jobs, want 1`)
		require.Contains(t, tr.errors[1], "  #2 \"two\"\n                0s  sent\n")
		require.Contains(t, tr.errors[1], "  #3 \"two\"\n                0s  sent\n")
	})
}

func TestMessagesAreSeenInEveryState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		require.Empty(t, jobs.Messages())
		_, err := jobs.Send(t.Context(), queue.Message{Body: "delayed", Delay: time.Minute})
		require.NoError(t, err)
		send(t, jobs, "in flight")
		_ = poll(t, jobs)
		send(t, jobs, "visible")
		for range 3 { // looking changes nothing
			ms := jobs.Messages()
			require.Len(t, ms, 3)
			require.Equal(t, []string{"delayed", "in flight", "visible"}, []string{ms[0].Body, ms[1].Body, ms[2].Body})
			require.Equal(t, []queue.State{queue.Delayed, queue.InFlight, queue.Visible},
				[]queue.State{ms[0].State, ms[1].State, ms[2].State})
			require.Equal(t, []int{0, 1, 0}, []int{ms[0].ReceiveCount, ms[1].ReceiveCount, ms[2].ReceiveCount})
		}
	})
}

// Many goroutines at once: each queue's steps come in order, and nothing is missing.
func TestEventsOfManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		for range 5 {
			go consume(t.Context(), jobs, func(string) error { return nil })
		}
		for range 10 {
			go func() {
				for range 20 {
					send(t, jobs, "x")
				}
			}()
		}
		k.WaitFor(func() bool { return jobs.Stats().Deleted == 200 })
		jobs.ExpectSent("x", 200)
		jobs.ExpectReceived("x", 200)
		jobs.ExpectDeleted("x")
		want := []queue.Step{queue.StepAccepted, queue.StepVisible, queue.StepReceived, queue.StepDeleted}
		for _, l := range k.History() {
			var got []queue.Step
			for _, e := range l.Events {
				got = append(got, e.Step)
			}
			require.True(t, slices.Equal(want, got), "%v", got)
		}
	})
}

// The events of one queue may be told later than what other queues did afterwards.
func TestALifeBeginsWithItsMessageSentWhateverIsToldFirst(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		s := newStall()
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{Trace: s.trace(), DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		go send(t, jobs, "first")
		<-s.reached
		send(t, jobs, "bad")
		for range 2 {
			_, err := jobs.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None, VisibilityTimeout: queue.None})
			require.NoError(t, err)
		}
		require.Equal(t, 2, dead.Stats().Visible)
		early, stop := context.WithCancel(t.Context())
		stop()
		told := []string{}
		for e := range k.Events(early) {
			if e.Body == "bad" {
				told = append(told, e.Queue+" "+e.Step.String())
			}
		}
		require.Equal(t, "dead adopted", told[0], "so far")

		close(s.end)
		k.WaitFor(func() bool { return dead.Message("bad").DeadLettered() })
		l := dead.Message("bad")
		require.Equal(t, []string{"jobs accepted", "jobs visible"}, steps(l.Events)[:2])
		require.Equal(t, []string{"jobs dead-lettered", "dead adopted"}, steps(l.Events)[len(l.Events)-2:])
		require.Equal(t, "dead", l.In())
		require.Equal(t, l, jobs.Message("bad"))
		require.Equal(t, []string{"first", "bad"}, []string{k.History()[0].Body, k.History()[1].Body})
		require.Contains(t, l.String(), "  #2 \"bad\"\n")
	})
}
