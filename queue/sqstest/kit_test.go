package sqstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqstest"
)

// send sends messages of these bodies to q, in order.
func send(t testing.TB, q queue.Queue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		_, err := q.Send(t.Context(), queue.Message{Body: body})
		require.NoError(t, err)
	}
}

// sendTo sends messages of these bodies to q, in order, all of one group. In a FIFO
// queue, those that are equal are duplicates.
func sendTo(t testing.TB, q *sqstest.Queue, group string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		m := queue.Message{Body: body, GroupID: group}
		if q.Kind() == queue.FIFO {
			m.DeduplicationID = group + body
		}
		_, err := q.Send(t.Context(), m)
		require.NoError(t, err)
	}
}

// poll receives what there is in q now, ten messages at most.
func poll(t testing.TB, q queue.Queue) []queue.Delivery {
	t.Helper()
	ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
	require.NoError(t, err)
	return ds
}

// work receives what there is in q now and deletes it.
func work(t testing.TB, q queue.Queue) {
	t.Helper()
	for _, d := range poll(t, q) {
		require.NoError(t, q.Delete(t.Context(), d.Receipt))
	}
}

// doer sends HTTP requests: an SDK's client, for one.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// A wire makes requests as SDKs do, in AWS JSON.
type wire struct {
	client      doer
	url         string // where requests go
	region, key string // what they are signed with
}

// call takes an action of SQS, and returns the status and the answer.
func (w wire) call(t testing.TB, action string, in map[string]any) (status int, out map[string]any) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/20260101/%s/sqs/aws4_request, SignedHeaders=host, Signature=00", w.key, w.region))
	answer, err := w.client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		out = nil // actions without a result have an empty answer
	}
	return answer.StatusCode, out
}

// ok is call for an action that succeeds.
func (w wire) ok(t testing.TB, action string, in map[string]any) map[string]any {
	t.Helper()
	status, out := w.call(t, action, in)
	require.Equal(t, http.StatusOK, status, "%s: %v", action, out)
	return out
}

func TestAKitWorksInAndOutOfBubbles(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		send(t, jobs, "one")
		work(t, jobs)
		require.True(t, jobs.RunUntilDrained(time.Minute))
		jobs.ExpectSent("one", 1)
		jobs.ExpectReceived("one", 1)
		jobs.ExpectDeleted("one")
		jobs.ExpectEmpty()
		require.Empty(t, k.Faults(), "queues behave unless they are told otherwise")
	})
}

func TestAKitClosesItselfAtTheEndOfItsTest(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		var k *sqstest.Kit
		var jobs *sqstest.Queue
		var d queue.Delivery
		tr := try(t, func(tr *trial) {
			k = sqstest.New(tr, sqstest.Options{})
			jobs = k.Create("jobs", queue.Config{})
			send(tr, jobs, "one")
			d = poll(tr, jobs)[0]
		})
		require.Empty(t, tr.errors)

		ctx := t.Context()
		change := queue.VisibilityChange{Receipt: d.Receipt}
		calls := map[string]func() error{
			"Send":                  func() error { _, err := jobs.Send(ctx, queue.Message{Body: "x"}); return err },
			"SendBatch":             func() error { _, err := jobs.SendBatch(ctx, []queue.Message{{Body: "x"}}); return err },
			"Receive":               func() error { _, err := jobs.Receive(ctx, queue.ReceiveOptions{}); return err },
			"long poll":             func() error { _, err := jobs.Receive(ctx, queue.ReceiveOptions{Wait: time.Second}); return err },
			"Delete":                func() error { return jobs.Delete(ctx, d.Receipt) },
			"DeleteBatch":           func() error { return jobs.DeleteBatch(ctx, []queue.Receipt{d.Receipt}) },
			"ChangeVisibility":      func() error { return jobs.ChangeVisibility(ctx, d.Receipt, 0) },
			"ChangeVisibilityBatch": func() error { return jobs.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{change}) },
			"of the broker":         func() error { _, err := k.Broker().GetQueue("jobs"); return err },
		}
		for name, call := range calls {
			require.ErrorIs(t, call(), queue.ErrClosed, name)
		}
		status, out := wire{k.HTTPClient(), "https://sqs.us-east-1.amazonaws.com/", "us-east-1", "any"}.call(t, "ListQueues", nil)
		require.GreaterOrEqual(t, status, 400, "%v", out)
	})
}

func TestACallThatIsStillRunningAtTheEndIsAnError(t *testing.T) {
	t.Parallel()
	anywhere(t, func(t *testing.T) {
		result := make(chan error, 1)
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			_ = k.Create("others", queue.Config{})
			go func() {
				_, err := jobs.Receive(context.Background(), queue.ReceiveOptions{Wait: 20 * time.Second})
				result <- err
			}()
			k.WaitFor(func() bool { return jobs.Stats().Waiting == 1 })
		})
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "calls are still running at the end of the test")
		require.Regexp(t, `\n  Receive of jobs, since \d+m?s\n`, tr.said(), "what, where, and since when")
		require.NotContains(t, tr.said(), "others")
		require.ErrorIs(t, <-result, queue.ErrClosed, "it ends with the kit")
	})
}

func TestACallOverHTTPThatIsStillRunningIsAnErrorToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			w := wire{k.HTTPClient(), "https://sqs.us-east-1.amazonaws.com/", "us-east-1", "any"}
			k.Advance(3 * time.Second)
			go w.call(t, "ReceiveMessage", map[string]any{"QueueUrl": jobs.URL(), "WaitTimeSeconds": 20}) // t's context lasts longer than tr's
			k.Settle()
		})
		require.Len(t, tr.errors, 1)
		require.Contains(t, tr.said(), "Receive of jobs, since 3s")
		synctest.Wait()
	})
}

func TestACallUnderTheTestsContextEndsWithTheTest(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		result := make(chan error, 1)
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			go func() {
				_, err := jobs.Receive(tr.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				result <- err
			}()
			k.WaitFor(func() bool { return jobs.Stats().Waiting == 1 })
		})
		require.Empty(t, tr.errors)
		require.ErrorIs(t, <-result, context.Canceled)
	})
}

func TestCleanupsOfTheTestMayStillUseTheKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{})
			jobs := k.Create("jobs", queue.Config{})
			ctx, stop := context.WithCancel(context.Background())
			go func() { _, _ = jobs.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second}) }()
			tr.Cleanup(stop) // before the kit's end, as those that come later are
			tr.Cleanup(func() {
				_ = k.Create("at the last moment", queue.Config{})
			})
			tr.Cleanup(func() {
				_, err := jobs.Send(context.Background(), queue.Message{Body: "one"})
				require.NoError(t, err)
				jobs.ExpectSent("one", 1)
			})
		})
		require.Len(t, tr.errors, 1, "only of the name")
		require.Contains(t, tr.said(), "QueueName")
	})
}

func TestParallelKitsShareNothing(t *testing.T) {
	story := func(t *testing.T, i int) {
		k := sqstest.New(t, sqstest.Options{Seed: uint64(i + 1)})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		mine := fmt.Sprint("of ", i)
		go consume(t.Context(), jobs, func(string) error { return nil })
		send(t, jobs, "same", mine)
		k.WaitFor(func() bool { // also until the consumer has nothing to do
			lives := k.History()
			return jobs.Stats().Waiting == 1 && len(lives) == 2 && lives[0].Deleted() && lives[1].Deleted()
		})
		jobs.ExpectDeleted("same", mine)
		require.Equal(t, 1, jobs.Message("same").Received())
		require.Equal(t, uint64(2), jobs.Stats().Accepted)
	}
	for i := range 50 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if i%2 == 0 {
				synctest.Test(t, func(t *testing.T) { story(t, i) })
			} else {
				story(t, i)
			}
		})
	}
}

func TestSeveralKitsInOneTestShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := sqstest.New(t, sqstest.Options{}), sqstest.New(t, sqstest.Options{})
		send(t, one.Create("jobs", queue.Config{}), "x")
		other.Create("jobs", queue.Config{}).ExpectEmpty()
		require.Empty(t, other.History())
		require.Contains(t, other.Transcript(), "\n\njobs: no messages\n")
	})
}

// elsewhere is what a kit says that is used in another bubble than where it was made.
const elsewhere = "sqstest: this kit was made in another synctest bubble, or outside of one; call New where it is used"

// What a test waits for and asks settles the bubble first, and so notices.
func TestAKitBelongsToTheBubbleInWhichItWasMade(t *testing.T) {
	uses := map[string]func(k *sqstest.Kit, q *sqstest.Queue){
		"Settle":          func(k *sqstest.Kit, _ *sqstest.Queue) { k.Settle() },
		"WaitFor":         func(k *sqstest.Kit, _ *sqstest.Queue) { k.WaitFor(func() bool { return true }) },
		"WaitIdle":        func(k *sqstest.Kit, _ *sqstest.Queue) { k.WaitIdle() },
		"ExpectNone":      func(k *sqstest.Kit, _ *sqstest.Queue) { k.ExpectNone(time.Millisecond, nil) },
		"RunUntilDrained": func(_ *sqstest.Kit, q *sqstest.Queue) { q.RunUntilDrained(0) },
		"Messages":        func(_ *sqstest.Kit, q *sqstest.Queue) { q.Messages() },
		"ExpectEmpty":     func(_ *sqstest.Kit, q *sqstest.Queue) { q.ExpectEmpty() },
		"Create":          func(k *sqstest.Kit, _ *sqstest.Queue) { k.Create("new", queue.Config{}) },
		"CreateQueue":     func(k *sqstest.Kit, _ *sqstest.Queue) { k.CreateQueue("new", nil) },
		"Queue":           func(k *sqstest.Kit, _ *sqstest.Queue) { k.Queue("jobs") },
	}
	for name, use := range uses {
		t.Run(name+", made outside", func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				k := sqstest.New(tr, sqstest.Options{})
				q := k.Create("jobs", queue.Config{})
				synctest.Test(t, func(*testing.T) { apart(func() { use(k, q) }) })
			})
			require.Equal(t, []string{elsewhere}, tr.errors)
			require.True(t, tr.stopped)
		})
		t.Run(name+", made in a bubble", func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				var k *sqstest.Kit
				var q *sqstest.Queue
				synctest.Test(t, func(*testing.T) {
					k = sqstest.New(tr, sqstest.Options{})
					q = k.Create("jobs", queue.Config{})
				})
				use(k, q)
			})
			require.True(t, tr.stopped)
			require.Equal(t, []string{elsewhere, elsewhere}, tr.errors, "in the end as well, which comes too late")
		})
		t.Run(name+", made in a bubble, used in the next", func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				var k *sqstest.Kit
				var q *sqstest.Queue
				synctest.Test(t, func(*testing.T) {
					k = sqstest.New(tr, sqstest.Options{})
					q = k.Create("jobs", queue.Config{})
				})
				synctest.Test(t, func(*testing.T) { apart(func() { use(k, q) }) }) // at the same time, as its clock has it
			})
			require.True(t, tr.stopped)
			require.Equal(t, []string{elsewhere, elsewhere}, tr.errors)
		})
	}
}

// What the code under test calls can't end the test: it gets an error.
func TestACallInAnotherBubbleIsAnError(t *testing.T) {
	ctx := t.Context()
	var d queue.Delivery
	calls := map[string]func(q *sqstest.Queue) error{
		"Send":        func(q *sqstest.Queue) error { _, err := q.Send(ctx, queue.Message{Body: "x"}); return err },
		"SendBatch":   func(q *sqstest.Queue) error { _, err := q.SendBatch(ctx, []queue.Message{{Body: "x"}}); return err },
		"Receive":     func(q *sqstest.Queue) error { _, err := q.Receive(ctx, queue.ReceiveOptions{}); return err },
		"Delete":      func(q *sqstest.Queue) error { return q.Delete(ctx, d.Receipt) },
		"DeleteBatch": func(q *sqstest.Queue) error { return q.DeleteBatch(ctx, []queue.Receipt{d.Receipt}) },
		"change":      func(q *sqstest.Queue) error { return q.ChangeVisibility(ctx, d.Receipt, 0) },
		"change batch": func(q *sqstest.Queue) error {
			return q.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{{Receipt: d.Receipt}})
		},
	}
	for name, call := range calls {
		t.Run(name+", made outside", func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				k := sqstest.New(tr, sqstest.Options{})
				jobs := k.Create("jobs", queue.Config{})
				send(tr, jobs, "one")
				d = poll(tr, jobs)[0]
				synctest.Test(t, func(t *testing.T) { require.EqualError(t, call(jobs), elsewhere) })
				require.Len(t, jobs.Messages(), 1)
				require.Equal(t, queue.InFlight, jobs.Messages()[0].State, "it had no effect")
			})
			require.Empty(t, tr.errors, "nor is it left")
		})
		t.Run(name+", made in a bubble", func(t *testing.T) {
			tr := try(t, func(tr *trial) {
				var jobs *sqstest.Queue
				synctest.Test(t, func(t *testing.T) {
					jobs = sqstest.New(tr, sqstest.Options{}).Create("jobs", queue.Config{})
					send(t, jobs, "one")
					d = poll(t, jobs)[0]
				})
				require.EqualError(t, call(jobs), elsewhere)
				synctest.Test(t, func(t *testing.T) { require.EqualError(t, call(jobs), elsewhere, "nor in the next bubble") })
			})
			require.Equal(t, []string{elsewhere}, tr.errors, "of the end, which comes too late")
			require.False(t, tr.stopped)
		})
	}
}

// Only a call that runs all the time is left. Those of consumers that heed something
// else than the test's context come and go.
func TestCallsThatComeAndGoAtTheEndAreNotLeft(t *testing.T) {
	t.Parallel()
	var others sync.WaitGroup
	stop := make(chan struct{})
	tr := try(t, func(tr *trial) {
		k := sqstest.New(tr, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		for range 8 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := jobs.Receive(context.Background(), queue.ReceiveOptions{Wait: 5 * time.Millisecond}); err != nil {
						return
					}
				}
			})
		}
		k.WaitFor(func() bool { return jobs.Stats().Waiting > 0 })
	})
	close(stop)
	others.Wait()
	require.Empty(t, tr.errors)
}

func TestConsumersAsleepBetweenCallsSeeThatTheTestIsOver(t *testing.T) {
	for _, pause := range []time.Duration{time.Millisecond, time.Second, 59 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			over := make(chan struct{})
			tr := try(t, func(tr *trial) {
				k := sqstest.New(tr, sqstest.Options{})
				jobs := k.Create("jobs", queue.Config{})
				go func() {
					defer close(over)
					for tr.Context().Err() == nil {
						_, _ = jobs.Receive(tr.Context(), queue.ReceiveOptions{Wait: queue.None})
						time.Sleep(pause)
					}
				}()
				k.Settle()
			})
			select {
			case <-over:
			default:
				t.Errorf("a consumer that sleeps for %v is still there", pause)
				<-over
			}
			require.Empty(t, tr.errors)
		})
	}
}

func TestToGoOnCallingAfterTheEndPanics(t *testing.T) {
	anywhere(t, func(t *testing.T) {
		var jobs *sqstest.Queue
		tr := try(t, func(tr *trial) { jobs = sqstest.New(tr, sqstest.Options{}).Create("jobs", queue.Config{}) })
		require.Empty(t, tr.errors)
		n, ctx := 0, t.Context()
		require.PanicsWithValue(t, "sqstest: a goroutine goes on calling Send after the end of "+t.Name()+", "+
			"and doesn't heed queue.ErrClosed; stop it, with t.Context() say", func() {
			for ; n < 20_000; n++ {
				if _, err := jobs.Send(ctx, queue.Message{Body: "x"}); !errors.Is(err, queue.ErrClosed) {
					return
				}
			}
		})
		require.Equal(t, 10_000, n, "until then it may notice")
	})
}

func TestCreateTakesAConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{Delay: time.Minute})
		require.Equal(t, "jobs", jobs.Name())
		require.Equal(t, queue.Standard, jobs.Kind())
		require.Equal(t, "arn:aws:sqs:us-east-1:000000000000:jobs", jobs.ARN())
		require.Contains(t, jobs.URL(), "/000000000000/jobs")
		require.Equal(t, queue.FIFO, k.Create("jobs.fifo", queue.Config{}).Kind())
		require.Same(t, jobs, k.Create("jobs", queue.Config{Delay: time.Minute}), "what exists alike is returned")
		require.Same(t, jobs, k.Queue("jobs"))

		send(t, jobs, "one")
		require.Equal(t, queue.Delayed, jobs.Messages()[0].State)
		k.Advance(time.Minute)
		require.Equal(t, queue.Visible, jobs.Messages()[0].State)
	})
}

func TestCreateQueueTakesAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.CreateQueue("dead", nil)
		jobs := k.CreateQueue("jobs", map[string]string{
			"VisibilityTimeout": "7",
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, dead.ARN()),
		})
		require.Equal(t, queue.FIFO, k.CreateQueue("jobs.fifo", map[string]string{"FifoQueue": "true"}).Kind())
		send(t, jobs, "one")
		require.Equal(t, time.Now().Add(7*time.Second), poll(t, jobs)[0].VisibleAt)
		k.Advance(7 * time.Second)
		require.Empty(t, poll(t, jobs))
		jobs.ExpectDeadLettered("one")
	})
}

func TestAQueueThatCantBeMadeFailsTheTest(t *testing.T) {
	for name, c := range map[string]struct {
		make func(k *sqstest.Kit)
		want string
	}{
		"a bad name":             {func(k *sqstest.Kit) { k.Create("no spaces", queue.Config{}) }, "QueueName"},
		"a setting out of range": {func(k *sqstest.Kit) { k.Create("new", queue.Config{Delay: time.Hour}) }, "DelaySeconds"},
		"an existing name":       {func(k *sqstest.Kit) { k.Create("jobs", queue.Config{Delay: time.Minute}) }, "queue exists with other settings"},
		"an unknown attribute":   {func(k *sqstest.Kit) { k.CreateQueue("new", map[string]string{"Color": "red"}) }, "Color"},
		"an attribute's value":   {func(k *sqstest.Kit) { k.CreateQueue("new", map[string]string{"DelaySeconds": "901"}) }, "DelaySeconds"},
		"no such queue":          {func(k *sqstest.Kit) { k.Queue("new") }, `queue does not exist: "new"`},
		"a target of the other kind": {func(k *sqstest.Kit) {
			k.Create("new.fifo", queue.Config{DeadLetter: queue.DeadLetter{Target: k.Queue("jobs"), MaxReceives: 1}})
		}, "Dead-letter queue must be same type of queue as the source"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := try(t, func(tr *trial) {
					k := sqstest.New(tr, sqstest.Options{})
					_ = k.Create("jobs", queue.Config{})
					c.make(k)
					t.Error("the test goes on")
				})
				require.True(t, tr.stopped)
				require.Len(t, tr.errors, 1)
				require.Contains(t, tr.said(), "sqstest: ")
				require.Contains(t, tr.said(), c.want)
			})
		})
	}
}

func TestAQueueOfTheKitCanBeADeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		for _, suffix := range []string{"", ".fifo"} {
			dead := k.Create("dead"+suffix, queue.Config{})
			jobs := k.Create("jobs"+suffix, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
			sendTo(t, jobs, "g", "bad")
			for range 3 {
				_ = poll(t, jobs)
				k.Advance(queue.DefaultVisibility)
			}
			jobs.ExpectDeadLettered("bad")
			jobs.ExpectEmpty()
			require.Len(t, dead.Messages(), 1)
			require.Equal(t, jobs.ARN(), dead.Messages()[0].DeadLetterSource)

			sure, err := k.Broker().GetQueue("jobs" + suffix)
			require.NoError(t, err)
			attributes, err := sure.Attributes(t.Context(), "RedrivePolicy")
			require.NoError(t, err)
			require.Contains(t, attributes["RedrivePolicy"], dead.ARN(), "the broker knows it")
		}
	})
}

func TestQueuesThatTheCodeUnderTestCreates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		w := wire{k.HTTPClient(), "https://sqs.eu-west-1.amazonaws.com/", "eu-west-1", "AKIAEXAMPLE"}
		url := w.ok(t, "CreateQueue", map[string]any{"QueueName": "made-elsewhere"})["QueueUrl"]
		w.ok(t, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "hello"})
		q := k.Queue("made-elsewhere")
		q.ExpectSent("hello", 1)
		require.Len(t, k.History(), 1)

		native, err := k.Broker().CreateQueue(t.Context(), "made-by-hand", nil)
		require.NoError(t, err)
		send(t, native, "one")
		k.Queue("made-by-hand").ExpectSent("one", 1)
	})
}

func TestBothDoorsLeadToTheSameQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		jobs := k.Create("jobs", queue.Config{})
		w := wire{k.HTTPClient(), "https://sqs.us-east-1.amazonaws.com/", "us-east-1", "any"}

		w.ok(t, "SendMessage", map[string]any{"QueueUrl": jobs.URL(), "MessageBody": "from the wire"})
		work(t, jobs)
		jobs.ExpectDeleted("from the wire")

		send(t, jobs, "native")
		got := w.ok(t, "ReceiveMessage", map[string]any{"QueueUrl": jobs.URL(), "MaxNumberOfMessages": 10})
		messages := got["Messages"].([]any)
		require.Len(t, messages, 1)
		message := messages[0].(map[string]any)
		require.Equal(t, "native", message["Body"])
		w.ok(t, "DeleteMessage", map[string]any{"QueueUrl": jobs.URL(), "ReceiptHandle": message["ReceiptHandle"]})
		jobs.ExpectDeleted("native")
		require.True(t, jobs.RunUntilDrained(0))
	})
}

func TestAnyRegionAndCredentialsGetTheKitsQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []broker.Options{{}, {Scope: broker.Scope{Account: "123456789012", Region: "eu-central-1"}}} {
			k := sqstest.New(t, sqstest.Options{Broker: o})
			jobs := k.Create("jobs", queue.Config{})
			for _, w := range []wire{
				{k.HTTPClient(), "https://sqs.us-east-1.amazonaws.com/", "us-east-1", "AKIAEXAMPLE"},
				{k.HTTPClient(), "https://sqs.ap-southeast-2.amazonaws.com/", "ap-southeast-2", "999999999999"},
				{k.HTTPClient(), "http://localhost:4566/", "eu-north-1", "test"},
			} {
				require.Equal(t, []any{jobs.URL()[len("https://sqs."+k.Broker().Scope().Region+".amazonaws.com"):]}, paths(w.ok(t, "ListQueues", nil)))
				url := w.ok(t, "GetQueueUrl", map[string]any{"QueueName": "jobs"})["QueueUrl"]
				w.ok(t, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "by its own URL"})
				w.ok(t, "SendMessage", map[string]any{"QueueUrl": jobs.URL(), "MessageBody": "by the kit's"})
			}
			jobs.ExpectSent("by its own URL", 3)
			jobs.ExpectSent("by the kit's", 3)
		}
	})
}

// paths are the paths of a list of queue URLs.
func paths(list map[string]any) (all []any) {
	for _, url := range list["QueueUrls"].([]any) {
		r, err := http.NewRequest(http.MethodGet, url.(string), nil)
		if err != nil {
			return nil
		}
		all = append(all, r.URL.Path)
	}
	return all
}

func TestHandlerServesOtherProcesses(t *testing.T) {
	k := sqstest.New(t, sqstest.Options{})
	server := httptest.NewServer(k.Handler())
	defer server.Close()
	jobs := k.Create("jobs", queue.Config{})
	w := wire{server.Client(), server.URL, "us-west-2", "000000000001"}
	url := w.ok(t, "GetQueueUrl", map[string]any{"QueueName": "jobs"})["QueueUrl"]
	require.Equal(t, server.URL+"/000000000000/jobs", url)
	w.ok(t, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "hello"})
	jobs.ExpectSent("hello", 1)
	work(t, jobs)
	jobs.ExpectDeleted("hello")

	k.Misbehave(sqstest.Faults{Throttle: 1, InARow: -1})
	status, _ := w.call(t, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "refused"})
	require.GreaterOrEqual(t, status, 400, "it misbehaves as the other doors do")
	jobs.ExpectSent("refused", 0)
}

func TestTheBrokersQueuesNeverMisbehave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: sqstest.Faults{Throttle: 1, InARow: -1}})
		jobs := k.Create("jobs", queue.Config{})
		_, err := jobs.Send(t.Context(), queue.Message{Body: "one"})
		require.ErrorIs(t, err, queue.ErrThrottled)

		sure, err := k.Broker().GetQueue("jobs")
		require.NoError(t, err)
		require.Same(t, sure, jobs.Unwrap())
		send(t, sure, "one")
		work(t, sure)
		jobs.ExpectSent("one", 1)
		jobs.ExpectDeleted("one")
	})
}

func TestAbilitiesOfAQueueAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 5}})
		send(t, jobs, "one", "two")

		inspector, ok := queue.As[queue.Inspector](jobs)
		require.True(t, ok)
		stats, err := inspector.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, stats, jobs.Stats())

		deadLetterer, ok := queue.As[queue.DeadLetterer](jobs)
		require.True(t, ok)
		require.NoError(t, deadLetterer.DeadLetter(t.Context(), poll(t, jobs)[0].Receipt, "no good"))
		jobs.ExpectDeadLettered("one")
		require.Equal(t, "no good", dead.Messages()[0].DeadLetterReason)

		configurable, ok := queue.As[queue.Configurable](jobs)
		require.True(t, ok)
		cfg := configurable.Config()
		cfg.Delay = time.Minute
		require.NoError(t, configurable.Reconfigure(t.Context(), cfg))
		send(t, jobs, "three")
		require.Equal(t, 1, jobs.Stats().Delayed)

		purger, ok := queue.As[queue.Purger](jobs)
		require.True(t, ok)
		require.NoError(t, purger.Purge(t.Context()))
		jobs.ExpectEmpty()

		adopter, ok := queue.As[queue.Adopter](jobs)
		require.True(t, ok)
		require.Equal(t, queue.Standard, adopter.Kind())
		require.Nil(t, adopter.Store())
	})
}

func TestAQueueOfTheKitCanBecomeADeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead, jobs := k.Create("dead", queue.Config{}), k.Create("jobs", queue.Config{Delay: time.Second})
		configurable, ok := queue.As[queue.Configurable](jobs)
		require.True(t, ok)
		cfg := configurable.Config()
		require.Equal(t, time.Second, cfg.Delay)
		cfg.Delay = 0
		cfg.DeadLetter = queue.DeadLetter{Target: dead, MaxReceives: 1}
		require.NoError(t, configurable.Reconfigure(t.Context(), cfg))
		require.Equal(t, dead.Unwrap(), configurable.Config().DeadLetter.Target)
		require.NoError(t, configurable.Reconfigure(t.Context(), configurable.Config()), "it takes what it gives")

		attributes, err := jobs.Unwrap().(*broker.Queue).Attributes(t.Context(), "RedrivePolicy")
		require.NoError(t, err)
		require.Contains(t, attributes["RedrivePolicy"], dead.ARN(), "the broker knows it")
		send(t, jobs, "one")
		tooOften(t, k, jobs)
		jobs.ExpectDeadLettered("one")
		require.Equal(t, "dead", jobs.Message("one").In())
		require.Equal(t, jobs.ARN(), dead.Messages()[0].DeadLetterSource)
	})
}

func TestOtherTracesAreToldAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ofBroker, ofQueue int
		k := sqstest.New(t, sqstest.Options{Broker: broker.Options{
			Trace: &queue.Trace{Message: func(queue.Event) { ofBroker++ }},
		}})
		jobs := k.Create("jobs", queue.Config{Trace: &queue.Trace{Message: func(queue.Event) { ofQueue++ }}})
		send(t, jobs, "one")
		work(t, jobs)
		require.Len(t, jobs.Message("one").Events, ofBroker)
		require.Equal(t, ofBroker, ofQueue)
		require.NotZero(t, ofQueue)
	})
}

func TestAQueueThatIsClosedOrDeletedHasNoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		closed, deleted := k.Create("closed", queue.Config{}), k.Create("deleted", queue.Config{})
		send(t, closed, "one")
		send(t, deleted, "two")
		require.NoError(t, closed.Close())
		require.NoError(t, k.Broker().DeleteQueue(t.Context(), "deleted"))
		require.Zero(t, closed.Stats())
		require.Zero(t, deleted.Stats())
		require.True(t, deleted.RunUntilDrained(0))
		deleted.ExpectSent("two", 1) // what was, was
		k.WaitIdle()
	})
}

func TestAQueueThatIsMadeAgainBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		send(t, jobs, "bad", "old")
		ds := poll(t, jobs)
		k.Advance(queue.DefaultVisibility - time.Second)
		require.NoError(t, jobs.ChangeVisibility(t.Context(), ds[1].Receipt, time.Hour))
		k.Advance(time.Second)
		_ = poll(t, jobs)
		require.Equal(t, "dead", jobs.Message("bad").In())
		require.Equal(t, "jobs", jobs.Message("old").In())

		require.NoError(t, k.Broker().DeleteQueue(t.Context(), "dead"))
		require.True(t, jobs.Message("bad").Gone(), "with the queue")
		again := k.Create("dead", queue.Config{})
		require.NotSame(t, dead, again)
		require.Same(t, again, k.Queue("dead"))
		require.Empty(t, again.History())
		again.ExpectNone(time.Minute)
		require.True(t, jobs.Message("bad").Gone(), "it was in the other queue of that name")
		require.True(t, jobs.Message("bad").DeadLettered())
		require.Equal(t, "jobs", jobs.Message("old").In())
		send(t, again, "new")
		require.Contains(t, again.Message("new").String(), "  #1 \"new\"\n")
		require.Equal(t, "dead", again.Message("new").In())
		again.ExpectSent("bad", 0)

		require.NoError(t, k.Broker().DeleteQueue(t.Context(), "jobs"))
		jobs = k.Create("jobs", queue.Config{})
		jobs.ExpectSent("old", 0)
		jobs.ExpectEmpty()
		send(t, jobs, "old")
		jobs.ExpectSent("old", 1)
		require.Contains(t, k.Transcript(), "\njobs: 1 sent, 1 visible\n  #1 \"old\"\n")
	})
}

func TestTheSeedIsOneUnlessItIsGiven(t *testing.T) {
	t.Setenv(sqstest.SeedVariable, "")
	require.Equal(t, uint64(1), sqstest.New(t, sqstest.Options{}).Seed())
	require.Equal(t, uint64(9), sqstest.New(t, sqstest.Options{Seed: 9}).Seed())
	t.Setenv(sqstest.SeedVariable, "17")
	require.Equal(t, uint64(17), sqstest.New(t, sqstest.Options{Seed: 9}).Seed())
}

func TestNoGoroutineOutlivesTheTest(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		tr := try(t, func(tr *trial) {
			k := sqstest.New(tr, sqstest.Options{Faults: sqstest.Faults{LateDelete: 1}})
			jobs, others := k.Create("jobs", queue.Config{}), k.Create("others", queue.Config{Delay: time.Minute})
			go consume(tr.Context(), others, func(string) error { return nil })
			go func() {
				for range k.Events(context.Background()) { // ends with the kit
				}
			}()
			send(tr, others, "delayed")
			send(tr, jobs, "one", "two")
			work(tr, jobs) // takes effect later
			k.WaitFor(func() bool { return others.Stats().Waiting == 1 })
		})
		require.Empty(t, tr.errors)
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines more than before", runtime.NumGoroutine()-before)
}
