package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A referenceRow is one rule of what SQS does, and the test that fails where a
// broker does otherwise. Its ID and its rule stand in queuetest/rows.txt.
type referenceRow struct {
	id, rule string
	test     func(d *refDesk)
}

// reference holds all rows, by the file that has them.
var reference = [][]referenceRow{
	referenceNames,
	referenceAttributes,
	referenceEncryption,
	referenceCreate,
	referenceDelete,
	referenceList,
	referenceChange,
	referencePurge,
	referenceTags,
	referencePermissions,
	referenceRedrivePolicy,
	referenceDeadLetter,
	referenceMoveStart,
	referenceMove,
	referenceMoveList,
	referenceMoveCancel,
}

// TestReference runs each row in a bubble of its own, where waiting is free.
func TestReference(t *testing.T) {
	for _, rows := range reference {
		for _, row := range rows {
			t.Run(row.id, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					row.test(newRefDesk(t, broker.Options{}))
				})
			})
		}
	}
}

// The list of rows and the tables here are the same rules in the same words.
func TestReferenceRowsAreThoseOfTheList(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "queuetest", "rows.txt"))
	require.NoError(t, err)
	defer file.Close()
	listed := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if id, rule, ok := strings.Cut(lines.Text(), "\t"); ok && !strings.HasPrefix(id, "#") {
			listed[id] = strings.TrimSpace(rule)
		}
	}
	seen := map[string]bool{}
	for _, rows := range reference {
		for _, row := range rows {
			require.False(t, seen[row.id], "%s stands twice", row.id)
			seen[row.id] = true
			require.Equal(t, listed[row.id], row.rule, "%s", row.id)
		}
	}
}

// A refDesk is a broker and what the rows do with it. A failed step ends the
// test.
type refDesk struct {
	t    *testing.T
	ctx  context.Context
	b    *broker.Broker
	dir  string // of a durable broker
	opts broker.Options
}

// newRefDesk is a desk with a broker in memory.
func newRefDesk(t *testing.T, o broker.Options) *refDesk {
	d := &refDesk{t: t, ctx: t.Context(), b: broker.New(o), opts: o}
	t.Cleanup(func() { require.NoError(t, d.b.Close()) })
	return d
}

// with is another desk whose broker has options.
func (d *refDesk) with(o broker.Options) *refDesk { return newRefDesk(d.t, o) }

// durable is another desk whose broker keeps its queues in files.
func (d *refDesk) durable() *refDesk {
	n := &refDesk{t: d.t, ctx: d.ctx, dir: d.t.TempDir()}
	var err error
	n.b, err = broker.Open(n.ctx, n.dir, n.opts)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, n.b.Close()) })
	return n
}

// restart closes a durable broker, lets the time pass, and opens it again.
func (d *refDesk) restart(pause time.Duration) {
	d.t.Helper()
	require.NoError(d.t, d.b.Close())
	time.Sleep(pause)
	var err error
	d.b, err = broker.Open(d.ctx, d.dir, d.opts)
	require.NoError(d.t, err)
}

// in is the desk in another account or region, of the same broker.
func (d *refDesk) in(s broker.Scope) *refDesk {
	return &refDesk{t: d.t, ctx: d.ctx, b: d.b.In(s), opts: d.opts}
}

// pass lets time pass, and what is due then happen.
func (d *refDesk) pass(time_ time.Duration) {
	time.Sleep(time_)
	synctest.Wait()
}

// attributes makes a map of names and values.
func (d *refDesk) attributes(pairs ...string) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = pair[1]
	}
	return m
}

// try creates a queue with attributes, given as names and values in turn.
func (d *refDesk) try(name string, attributes ...string) error {
	_, err := d.b.CreateQueue(d.ctx, name, d.attributes(attributes...))
	return err
}

// queue creates a queue that must come to be. The attribute FifoQueue is added
// where the name asks for it.
func (d *refDesk) queue(name string, attributes ...string) *refQueue {
	d.t.Helper()
	if strings.HasSuffix(name, ".fifo") {
		attributes = append(attributes, "FifoQueue", "true")
	}
	q, err := d.b.CreateQueue(d.ctx, name, d.attributes(attributes...))
	require.NoError(d.t, err, "creating %s", name)
	return &refQueue{q, d}
}

// get returns a queue that must be there.
func (d *refDesk) get(name string) *refQueue {
	d.t.Helper()
	q, err := d.b.GetQueue(name)
	require.NoError(d.t, err, "getting %s", name)
	return &refQueue{q, d}
}

// remove deletes a queue.
func (d *refDesk) remove(name string) {
	d.t.Helper()
	require.NoError(d.t, d.b.DeleteQueue(d.ctx, name))
}

// list returns the names of the queues that ListQueues tells in one page.
func (d *refDesk) list(o broker.ListOptions) (names []string, next string) {
	d.t.Helper()
	queues, next, err := d.b.ListQueues(o)
	require.NoError(d.t, err)
	return d.names(queues), next
}

func (d *refDesk) names(queues []*broker.Queue) []string {
	names := []string{}
	for _, q := range queues {
		names = append(names, q.Name())
	}
	return names
}

// says requires an error of that kind, with that sentence as its reason.
func (d *refDesk) says(err, kind error, sentence string) {
	d.t.Helper()
	require.ErrorIs(d.t, err, kind)
	attribute, limit := (*broker.AttributeError)(nil), (*queue.LimitError)(nil)
	switch {
	case errors.As(err, &attribute):
		require.Equal(d.t, sentence, attribute.Reason)
	case errors.As(err, &limit):
		require.Equal(d.t, sentence, limit.Reason)
	default:
		require.Contains(d.t, err.Error(), sentence)
	}
}

// blames requires an error of that kind about that attribute.
func (d *refDesk) blames(err, kind error, name string, hint ...any) {
	d.t.Helper()
	require.ErrorIs(d.t, err, kind, hint...)
	attribute := (*broker.AttributeError)(nil)
	require.ErrorAs(d.t, err, &attribute, hint...)
	require.Equal(d.t, name, attribute.Name, hint...)
}

// A refQueue is a queue at a desk.
type refQueue struct {
	*broker.Queue
	d *refDesk
}

// set changes attributes, which must succeed.
func (q *refQueue) set(attributes ...string) {
	q.d.t.Helper()
	require.NoError(q.d.t, q.trySet(attributes...))
}

func (q *refQueue) trySet(attributes ...string) error {
	return q.SetAttributes(q.d.ctx, q.d.attributes(attributes...))
}

// attrs returns attributes by name.
func (q *refQueue) attrs(names ...string) map[string]string {
	q.d.t.Helper()
	m, err := q.Attributes(q.d.ctx, names...)
	require.NoError(q.d.t, err)
	return m
}

// attr returns one attribute, which must be there when asked for by name and
// with all.
func (q *refQueue) attr(name string) string {
	q.d.t.Helper()
	one := q.attrs(name)
	require.Len(q.d.t, one, 1, "asked for %s", name)
	require.Contains(q.d.t, one, name)
	require.Equal(q.d.t, one[name], q.attrs("All")[name], "%s alone and among all", name)
	return one[name]
}

// lacks requires that an attribute isn't told, by name or with all.
func (q *refQueue) lacks(name string) {
	q.d.t.Helper()
	require.Empty(q.d.t, q.attrs(name))
	require.NotContains(q.d.t, q.attrs("All"), name)
}

// counts requires the three counters.
func (q *refQueue) counts(visible, inFlight, delayed int) {
	q.d.t.Helper()
	m := q.attrs("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
	require.Equal(q.d.t, map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}, m, "counters of %s", q.Name())
}

// visible returns ApproximateNumberOfMessages.
func (q *refQueue) visible() int {
	q.d.t.Helper()
	n, err := strconv.Atoi(q.attr("ApproximateNumberOfMessages"))
	require.NoError(q.d.t, err)
	return n
}

// send sends m. On a FIFO queue a missing group is "g", and a missing
// deduplication ID made of the body.
func (q *refQueue) send(m queue.Message) queue.Sent {
	q.d.t.Helper()
	if q.Kind() == queue.FIFO {
		if m.GroupID == "" {
			m.GroupID = "g"
		}
		if m.DeduplicationID == "" {
			m.DeduplicationID = "id-" + m.Body
		}
	}
	sent, err := q.Send(q.d.ctx, m)
	require.NoError(q.d.t, err)
	return sent
}

// fill sends messages with these bodies, one after the other.
func (q *refQueue) fill(bodies ...string) {
	q.d.t.Helper()
	for _, body := range bodies {
		q.send(queue.Message{Body: body})
	}
}

// fillN sends n messages, "0" to n-1, as fast as batches allow.
func (q *refQueue) fillN(n int) {
	q.d.t.Helper()
	var batch []queue.Message
	for i := range n {
		m := queue.Message{Body: strconv.Itoa(i)}
		if q.Kind() == queue.FIFO {
			m.GroupID, m.DeduplicationID = "g", "id-"+m.Body
		}
		batch = append(batch, m)
		if len(batch) == queue.MaxBatch || i == n-1 {
			_, err := q.SendBatch(q.d.ctx, batch)
			require.NoError(q.d.t, err)
			batch = batch[:0]
		}
	}
}

// poll receives without waiting, up to ten, hidden for the given time; zero is
// the queue's own visibility timeout.
func (q *refQueue) poll(visibility time.Duration) []queue.Delivery {
	q.d.t.Helper()
	ds, err := q.Receive(q.d.ctx, queue.ReceiveOptions{Max: 10, Wait: queue.None, VisibilityTimeout: visibility})
	require.NoError(q.d.t, err)
	return ds
}

// one receives exactly one message, for the given time.
func (q *refQueue) one(visibility time.Duration) queue.Delivery {
	q.d.t.Helper()
	ds, err := q.Receive(q.d.ctx, queue.ReceiveOptions{Max: 1, Wait: queue.None, VisibilityTimeout: visibility})
	require.NoError(q.d.t, err)
	require.Len(q.d.t, ds, 1, "receiving from %s", q.Name())
	return ds[0]
}

// nothing requires that nothing is receivable now.
func (q *refQueue) nothing() {
	q.d.t.Helper()
	require.Empty(q.d.t, q.poll(0), "receiving from %s", q.Name())
}

// drain receives and deletes all that is visible, and returns the bodies in the
// order of their coming.
func (q *refQueue) drain() []string {
	q.d.t.Helper()
	bodies := []string{}
	for {
		ds := q.poll(0)
		if len(ds) == 0 {
			return bodies
		}
		for _, m := range ds {
			bodies = append(bodies, m.Body)
			require.NoError(q.d.t, q.Delete(q.d.ctx, m.Receipt))
		}
	}
}

// redrive is the text of a redrive policy.
func (q *refQueue) redrive(maxReceives int) string {
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":"%d"}`, q.ARN(), maxReceives)
}

// stats are the counters of the queue below.
func (q *refQueue) stats() queue.Stats {
	q.d.t.Helper()
	inspector, ok := queue.As[queue.Inspector](q.Queue)
	require.True(q.d.t, ok, "a queue of a broker can be inspected")
	s, err := inspector.Stats(q.d.ctx)
	require.NoError(q.d.t, err)
	return s
}
