package broker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// allOf returns what SQS tells of a queue.
func allOf(t *testing.T, q *broker.Queue) map[string]string {
	t.Helper()
	all, err := q.Attributes(t.Context(), "All")
	require.NoError(t, err)
	return all
}

// withTarget is a RedrivePolicy.
func withTarget(dead *broker.Queue) map[string]string {
	return map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":3}`}
}

// A setting has no effect before it is durable: no crash leaves a queue with its old
// retention and without the messages that only the new one takes away.
func TestSettingsAreRecordedBeforeTheyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		q := mustCreate(t, b, "q", nil)
		_, err := q.Send(t.Context(), queue.Message{Body: "old"})
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)

		st.Hold(queue.Durable)
		defer st.Release()
		set := make(chan error, 1)
		go func() { // ends with the store
			set <- q.SetAttributes(t.Context(), map[string]string{"MessageRetentionPeriod": "60", "VisibilityTimeout": "5"})
		}()
		synctest.Wait()
		require.Empty(t, set, "nothing is durable yet")
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, 30*time.Second, time.Until(got[0].VisibleAt))

		pending := st.Pending()
		for n := range pending + 1 {
			after := openOver(t, st.CrashKeeping(n))
			q, err := after.GetQueue("q")
			require.NoError(t, err)
			now := allOf(t, q)
			if now["MessageRetentionPeriod"] != "60" {
				require.Equal(t, "1", now["ApproximateNumberOfMessages"], "after a crash that left %d batches of %d", n, pending)
				require.Equal(t, "30", now["VisibilityTimeout"])
			}
			require.NoError(t, after.Close())
		}
		require.ErrorIs(t, <-set, queue.ErrUncertain)
		_ = b.Close() // its store is dead
	})
}

// To reconfigure a queue to what it is changes nothing, whatever has become of its
// dead-letter queue.
func TestReconfigureToWhatItIs(t *testing.T) {
	for _, c := range []struct {
		what   string
		limits queue.Limits
		then   func(t *testing.T, b *broker.Broker, dead *broker.Queue) error
	}{
		{"nothing happened", queue.SQSLimits, func(*testing.T, *broker.Broker, *broker.Queue) error { return nil }},
		{"without limits", queue.Unlimited, func(*testing.T, *broker.Broker, *broker.Queue) error { return nil }},
		{"the dead-letter queue is gone", queue.SQSLimits, func(t *testing.T, b *broker.Broker, _ *broker.Queue) error {
			return b.DeleteQueue(t.Context(), "dead")
		}},
		{"the dead-letter queue would allow it no more", queue.SQSLimits, func(t *testing.T, _ *broker.Broker, dead *broker.Queue) error {
			return dead.SetAttributes(t.Context(), map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`})
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so that the queue was last modified in the same second
				b := broker.New(broker.Options{Limits: c.limits})
				defer b.Close()
				dead := mustCreate(t, b, "dead", nil)
				q := mustCreate(t, b, "q", withTarget(dead))
				require.NoError(t, c.then(t, b, dead))
				before, cfg := allOf(t, q), q.Config()
				require.NoError(t, q.Reconfigure(t.Context(), cfg))
				require.Equal(t, before, allOf(t, q))
				require.Equal(t, cfg, q.Config())
			})
		})
	}
}

// A queue that was deleted is no dead-letter queue, though there is another one of
// its name.
func TestDeletedTargetIsRefused(t *testing.T) {
	b := newBroker(t)
	dead := mustCreate(t, b, "dead", nil)
	q := mustCreate(t, b, "q", withTarget(dead))
	named := q.Config()
	inner, ok := dead.Unwrap().(queue.Adopter)
	require.True(t, ok)
	held := named
	held.DeadLetter.Target = inner
	require.NoError(t, b.DeleteQueue(t.Context(), "dead"))
	require.ErrorIs(t, q.Reconfigure(t.Context(), named), queue.ErrInvalidParameter)

	again := mustCreate(t, b, "dead", nil)
	for what, stale := range map[string]queue.Config{"the queue": named, "what it holds": held} {
		require.ErrorIs(t, q.Reconfigure(t.Context(), stale), queue.ErrInvalidParameter, what)
		stale.Name, stale.ARN = "", ""
		_, err := b.Create(t.Context(), "new", stale)
		require.ErrorIs(t, err, queue.ErrInvalidParameter, what)
	}
	require.Equal(t, queue.DeadLetter{Target: again, MaxReceives: 3}, q.Config().DeadLetter)
}

// A broker without SQS's limits has none in Go's form either, unless it is said.
func TestLimitsOfABroker(t *testing.T) {
	b := broker.New(broker.Options{Limits: queue.Unlimited})
	defer b.Close()
	dead := mustCreate(t, b, "dead", nil)
	loose := queue.Config{DeadLetter: queue.DeadLetter{Target: adopter(t, dead), MaxReceives: 2000}}
	for range 2 {
		q, err := b.Create(t.Context(), "q", loose)
		require.NoError(t, err)
		require.Equal(t, loose.DeadLetter, q.Config().DeadLetter)
	}
	q := mustCreate(t, b, "p", nil)
	loose.Delay = time.Hour
	require.NoError(t, q.Reconfigure(t.Context(), loose))
	require.Equal(t, time.Hour, q.Config().Delay)
	require.Equal(t, loose.DeadLetter, q.Config().DeadLetter)
	require.Equal(t, queue.Unlimited, q.Config().Limits)
}

// Durations are compared in the form in which they are asked for: SQS's has whole
// seconds.
func TestCreatingAgainWithFractionsOfASecond(t *testing.T) {
	b := newBroker(t)
	fraction := queue.Config{Delay: 1500 * time.Millisecond}
	q, err := b.Create(t.Context(), "q", fraction)
	require.NoError(t, err)
	told, err := q.Attributes(t.Context(), "DelaySeconds")
	require.NoError(t, err)
	require.Same(t, q, mustCreate(t, b, "q", told))
	_, err = b.CreateQueue(t.Context(), "q", map[string]string{"DelaySeconds": "1"})
	require.ErrorIs(t, err, broker.ErrQueueExists)

	again, err := b.Create(t.Context(), "q", fraction)
	require.NoError(t, err)
	require.Same(t, q, again)
	_, err = b.Create(t.Context(), "q", queue.Config{Delay: 2 * time.Second})
	require.ErrorIs(t, err, broker.ErrQueueExists)
}

// A wrapper is a target that can't be compared.
type wrapper struct {
	queue.Adopter
	_ []int
}

// Of a dead-letter queue that can't be compared it isn't known whether it is the
// same.
func TestTargetThatCannotBeCompared(t *testing.T) {
	b, elsewhere := newBroker(t), newBroker(t)
	target := wrapper{Adopter: adopter(t, mustCreate(t, elsewhere, "dead", nil))}
	cfg := queue.Config{DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 1}}
	q, err := b.Create(t.Context(), "q", cfg)
	require.NoError(t, err)
	_, err = b.Create(t.Context(), "q", cfg)
	require.ErrorIs(t, err, broker.ErrQueueExists)
	require.NoError(t, q.Reconfigure(t.Context(), q.Config()))
	require.Equal(t, 1, q.Config().DeadLetter.MaxReceives)
}

// What is no text would come out of the catalogue as another one.
func TestInvalidUTF8(t *testing.T) {
	b := newBroker(t)
	q := mustCreate(t, b, "q", nil)
	for what, tags := range map[string]map[string]string{"key": {"k\xff": "v"}, "value": {"k": "v\xff"}} {
		require.ErrorIs(t, q.Tag(t.Context(), tags), queue.ErrInvalidParameter, what)
		_, err := b.CreateTagged(t.Context(), "new", nil, tags)
		require.ErrorIs(t, err, queue.ErrInvalidParameter, what)
	}
	tags, err := q.Tags(t.Context())
	require.NoError(t, err)
	require.Empty(t, tags)

	garbled := map[string]string{"KmsMasterKeyId": "alias/\xff"}
	require.ErrorIs(t, q.SetAttributes(t.Context(), garbled), broker.ErrInvalidAttributeValue)
	_, err = b.CreateQueue(t.Context(), "new", garbled)
	require.ErrorIs(t, err, broker.ErrInvalidAttributeValue)
	_, err = b.GetQueue("new")
	require.ErrorIs(t, err, broker.ErrQueueNotFound)
}

func TestAttributesAfterTheContext(t *testing.T) {
	q := mustCreate(t, newBroker(t), "q", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, names := range [][]string{nil, {"QueueArn"}, {"All"}} {
		_, err := q.Attributes(ctx, names...)
		require.ErrorIs(t, err, context.Canceled, names)
	}
}

// A deadline holds for a change that waits for another one, which waits for the
// store.
func TestDeadlineBehindASlowChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		dead := mustCreate(t, b, "dead", nil)
		q := mustCreate(t, b, "q", withTarget(dead))
		st.Hold(queue.Durable)
		defer st.Release()
		slow := make(chan error, 1)
		go func() { slow <- q.Tag(t.Context(), map[string]string{"k": "v"}) }() // waited for below
		synctest.Wait()
		for what, change := range map[string]func(context.Context) error{
			"create": func(ctx context.Context) error { _, err := b.CreateQueue(ctx, "p", nil); return err },
			"delete": func(ctx context.Context) error { return b.DeleteQueue(ctx, "q") },
			"set":    func(ctx context.Context) error { return q.SetAttributes(ctx, map[string]string{"DelaySeconds": "1"}) },
			"move": func(ctx context.Context) error {
				_, err := b.StartMoveTask(ctx, broker.MoveOptions{Source: dead.ARN()})
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, change(ctx), context.DeadlineExceeded, what)
			cancel()
		}
		st.Release()
		require.NoError(t, <-slow)
		require.Equal(t, "0", allOf(t, q)["DelaySeconds"])
		require.NoError(t, b.Close())
	})
}
