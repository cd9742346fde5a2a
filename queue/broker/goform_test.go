package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/standard"
)

// adopter is a broker's queue as another one's Config takes it.
func adopter(t *testing.T, q *broker.Queue) queue.Adopter {
	t.Helper()
	a, ok := queue.As[queue.Adopter](q)
	require.True(t, ok)
	return a
}

// A target in a Config is a RedrivePolicy in SQS's form, and the other way round.
func TestDeadLetterInGoForm(t *testing.T) {
	b := newBroker(t)
	dead, other := mustCreate(t, b, "dead", nil), mustCreate(t, b, "other", nil)
	letters := queue.DeadLetter{Target: adopter(t, dead), MaxReceives: 3}
	q, err := b.Create(t.Context(), "q", queue.Config{DeadLetter: letters})
	require.NoError(t, err)
	attributes, err := q.Attributes(t.Context(), "RedrivePolicy")
	require.NoError(t, err)
	require.JSONEq(t, `{"deadLetterTargetArn":"`+dead.ARN()+`","maxReceiveCount":3}`, attributes["RedrivePolicy"])
	require.Equal(t, letters, q.Config().DeadLetter)
	sources, _, err := dead.DeadLetterSources(broker.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, []*broker.Queue{q}, sources)

	again, err := b.Create(t.Context(), "q", queue.Config{DeadLetter: letters})
	require.NoError(t, err)
	require.Same(t, q, again)
	for _, different := range []queue.DeadLetter{
		{Target: adopter(t, dead), MaxReceives: 4}, {Target: adopter(t, other), MaxReceives: 3},
	} {
		_, err = b.Create(t.Context(), "q", queue.Config{DeadLetter: different})
		require.ErrorIs(t, err, broker.ErrQueueExists)
	}

	// A text that says the same stays as it was given.
	text := `{ "maxReceiveCount": "5", "deadLetterTargetArn": "` + other.ARN() + `" }`
	require.NoError(t, q.SetAttributes(t.Context(), map[string]string{"RedrivePolicy": text}))
	cfg := q.Config()
	require.Equal(t, queue.DeadLetter{Target: adopter(t, other), MaxReceives: 5}, cfg.DeadLetter)
	cfg.VisibilityTimeout = time.Minute
	require.NoError(t, q.Reconfigure(t.Context(), cfg))
	attributes, err = q.Attributes(t.Context(), "RedrivePolicy", "VisibilityTimeout")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"RedrivePolicy": text, "VisibilityTimeout": "60"}, attributes)

	cfg.DeadLetter = queue.DeadLetter{}
	require.NoError(t, q.Reconfigure(t.Context(), cfg))
	attributes, err = q.Attributes(t.Context(), "RedrivePolicy")
	require.NoError(t, err)
	require.Empty(t, attributes)
}

func TestRefusedDeadLettersInGoForm(t *testing.T) {
	b := newBroker(t)
	dead, q := mustCreate(t, b, "dead", nil), mustCreate(t, b, "q", nil)
	fifoDead := mustCreate(t, b, "dead.fifo", map[string]string{"FifoQueue": "true"})
	elsewhere, err := b.In(broker.Scope{Region: "eu-west-1"}).CreateQueue(t.Context(), "dead", nil)
	require.NoError(t, err)
	for what, d := range map[string]queue.DeadLetter{
		"no receives":             {Target: adopter(t, dead)},
		"negative receives":       {Target: adopter(t, dead), MaxReceives: -1},
		"too many receives":       {Target: adopter(t, dead), MaxReceives: queue.MaxReceivesLimit + 1},
		"receives without target": {MaxReceives: 3},
		"another kind":            {Target: adopter(t, fifoDead), MaxReceives: 3},
		"another region":          {Target: adopter(t, elsewhere), MaxReceives: 3},
		"itself":                  {Target: adopter(t, q), MaxReceives: 3},
	} {
		before := q.Config()
		require.ErrorIs(t, q.Reconfigure(t.Context(), queue.Config{DeadLetter: d}), queue.ErrInvalidParameter, what)
		require.Equal(t, before, q.Config(), what)
		if what == "itself" {
			continue
		}
		_, err := b.Create(t.Context(), "new", queue.Config{DeadLetter: d})
		require.ErrorIs(t, err, queue.ErrInvalidParameter, what)
		_, err = b.GetQueue("new")
		require.ErrorIs(t, err, broker.ErrQueueNotFound, what)
	}
	loose := queue.DeadLetter{Target: adopter(t, dead), MaxReceives: queue.MaxReceivesLimit + 1}
	unlimited, err := b.Create(t.Context(), "unlimited", queue.Config{Limits: queue.Unlimited, DeadLetter: loose})
	require.NoError(t, err)
	require.Equal(t, loose, unlimited.Config().DeadLetter)
}

// In memory any queue will do for a target; in a store it would be forgotten.
func TestForeignDeadLetterQueue(t *testing.T) {
	foreign, err := standard.New(queue.Config{Name: "foreign"})
	require.NoError(t, err)
	defer foreign.Close()
	cfg := queue.Config{DeadLetter: queue.DeadLetter{Target: foreign, MaxReceives: 1}}
	b := newBroker(t)
	q, err := b.Create(t.Context(), "q", cfg)
	require.NoError(t, err)
	require.Equal(t, cfg.DeadLetter, q.Config().DeadLetter)
	attributes, err := q.Attributes(t.Context(), "RedrivePolicy")
	require.NoError(t, err)
	require.Empty(t, attributes)

	dead := mustCreate(t, b, "dead", nil)
	text := `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":2}`
	require.NoError(t, q.SetAttributes(t.Context(), map[string]string{"RedrivePolicy": text}))
	require.Equal(t, queue.DeadLetter{Target: adopter(t, dead), MaxReceives: 2}, q.Config().DeadLetter)

	durable, err := broker.OpenStore(t.Context(), queuetest.NewMemStore(), broker.Options{})
	require.NoError(t, err)
	defer durable.Close()
	_, err = durable.Create(t.Context(), "q", cfg)
	require.ErrorIs(t, err, queue.ErrInvalidParameter)
}

// What a Config says, and no attribute does, survives too.
func TestConfigsSurvive(t *testing.T) {
	st := queuetest.NewMemStore()
	open := func(o broker.Options) *broker.Broker {
		t.Helper()
		b, err := broker.OpenStore(t.Context(), st, o)
		require.NoError(t, err)
		return b
	}
	in := broker.Scope{Partition: "aws-cn", Account: "111122223333", Region: "cn-north-1"}
	b := open(broker.Options{Scope: in, Limits: queue.Unlimited})
	plain, err := b.Create(t.Context(), "plain", queue.Config{
		VisibilityTimeout: 1500 * time.Millisecond, Delay: 20 * time.Minute, Retention: 30 * 24 * time.Hour,
		ReceiveWait: time.Minute, MaxMessageSize: 10 << 20, FencedReceipts: true,
	})
	require.NoError(t, err)
	ordered, err := b.Create(t.Context(), "ordered.fifo", queue.Config{
		VisibilityTimeout: queue.None, ContentDeduplication: true, DeduplicationScope: queue.ScopeMessageGroup,
		ThroughputLimit: queue.PerMessageGroupID, EnforceThroughput: true,
	})
	require.NoError(t, err)
	text, err := plain.Attributes(t.Context(), "VisibilityTimeout")
	require.NoError(t, err)
	require.Equal(t, "2", text["VisibilityTimeout"], "seconds, rounded up")
	before := []queue.Config{plain.Config(), ordered.Config()}
	require.NoError(t, b.Close())

	b = open(broker.Options{}) // seen from elsewhere
	_, err = b.GetQueue("plain")
	require.ErrorIs(t, err, broker.ErrQueueNotFound)
	there := b.In(in)
	for i, name := range []string{"plain", "ordered.fifo"} {
		q, err := there.GetQueue(name)
		require.NoError(t, err)
		require.Equal(t, before[i], q.Config())
		require.Equal(t, "arn:aws-cn:sqs:cn-north-1:111122223333:"+name, q.ARN())
	}
	require.NoError(t, b.Close())
	require.NoError(t, st.Close())
}

// A catalogue that can't be understood is not opened, and named.
func TestDamagedCatalogue(t *testing.T) {
	for what, c := range map[string]struct{ name, value, says string }{
		"no JSON":                          {"queue/000000000000/us-east-1/q", "{", "corrupt"},
		"another queue's":                  {"queue/000000000000/us-east-1/q", `{"Version":1,"Account":"000000000000","Region":"us-east-1","Name":"p","Kind":"Standard"}`, "corrupt"},
		"another kind":                     {"queue/000000000000/us-east-1/q", `{"Version":1,"Account":"000000000000","Region":"us-east-1","Name":"q","Kind":"FIFO"}`, "corrupt"},
		"a later version":                  {"queue/000000000000/us-east-1/q", `{"Version":2}`, "version 2"},
		"no version":                       {"queue/000000000000/us-east-1/q", `{}`, "version 0"},
		"a later version, in another form": {"queue/000000000000/us-east-1/q", `{"Version":2,"Name":["q"],"Retention":"4d"}`, "version 2"},
		"a task of a later version":        {"task/000000000000/us-east-1/q/1", `{"Version":2,"Number":"first"}`, "version 2"},
		"a setting that can't be":          {"queue/000000000000/us-east-1/q", `{"Version":1,"Partition":"aws","Account":"000000000000","Region":"us-east-1","Name":"q","Kind":"Standard","Retention":-7}`, "corrupt"},
		"a policy that is none":            {"queue/000000000000/us-east-1/q", `{"Version":1,"Partition":"aws","Account":"000000000000","Region":"us-east-1","Name":"q","Kind":"Standard","Attributes":{"RedrivePolicy":"garbage"}}`, "corrupt"},
		"a task of no queue":               {"task/000000000000/us-east-1/q/1", `{"Version":1,"ID":"1","Status":"RUNNING"}`, "corrupt"},
		"a task that is none":              {"task/000000000000/us-east-1/q/1", `[]`, "corrupt"},
	} {
		t.Run(what, func(t *testing.T) {
			st := queuetest.NewMemStore()
			commit, err := st.Append(&queue.Batch{Meta: []queue.Meta{{Name: c.name, Value: []byte(c.value)}, {Name: "others/may", Value: []byte("be there")}}})
			require.NoError(t, err)
			require.NoError(t, st.Wait(commit, queue.Durable))
			_, err = broker.OpenStore(t.Context(), st, broker.Options{})
			require.ErrorContains(t, err, c.name)
			require.ErrorContains(t, err, c.says)
			if strings.Contains(c.says, "version") {
				require.ErrorIs(t, err, queue.ErrUnsupported)
			} else {
				require.ErrorIs(t, err, queue.ErrStoreCorrupt)
			}
		})
	}
}
