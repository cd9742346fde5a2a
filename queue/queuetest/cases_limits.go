package queuetest

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// Every limit from both sides. What is refused must say so with a named error
// and the numbers, and leave no trace.

// limit asserts that err carries a LimitError with these facts. An empty
// parameter and a nil bound are not looked at.
func (d *desk) limit(err error, parameter string, got, lower, upper any) {
	d.Helper()
	var l *queue.LimitError
	require.True(d, errors.As(err, &l), "error of a broken limit is a *LimitError; got %T: %v", err, err)
	require.NotEmpty(d, l.Parameter, "LimitError.Parameter")
	if parameter != "" {
		require.Equal(d, parameter, l.Parameter, "LimitError.Parameter")
	}
	require.Equal(d, got, l.Got, "LimitError.Got")
	if lower != nil {
		require.Equal(d, lower, l.Min, "LimitError.Min")
	}
	if upper != nil {
		require.Equal(d, upper, l.Max, "LimitError.Max")
	}
}

// A numericLimit is a range of a parameter, and how to give the parameter a
// value.
type numericLimit[V int | time.Duration] struct {
	parameter string
	where     string // tells apart several places of one parameter
	min, max  V
	inside    []V
	outside   []V // refused with the limit
	absurd    []V // the same, far out
	unlimited []V // taken under queue.Unlimited
	negative  []V // refused also under queue.Unlimited

	// give prepares a queue and returns the function that hands the value over
	// and, where it was taken, leaves the queue ready for the next value.
	give func(d *desk, limits queue.Limits) func(v V) error
}

func (n numericLimit[V]) cases() []testCase {
	name := "Limits/" + n.parameter + "/"
	suffix := ""
	if n.where != "" {
		suffix = "-" + n.where
	}
	return []testCase{
		{
			name: name + "inside" + suffix,
			rule: "what is within the limit is taken, both ends included",
			test: func(d *desk) {
				give := n.give(d, queue.SQSLimits)
				for _, v := range n.inside {
					require.NoError(d, give(v), "%s of %v", n.parameter, v)
				}
			},
		},
		{
			name: name + "outside" + suffix,
			rule: "what is just beyond the limit is refused with the numbers, and changes nothing",
			test: func(d *desk) { n.refuse(d, n.outside) },
		},
		{
			name: name + "absurd" + suffix,
			rule: "what is far beyond the limit is refused like what is just beyond",
			test: func(d *desk) { n.refuse(d, n.absurd) },
		},
		{
			name: name + "unlimited" + suffix,
			rule: "without SQS's limits the limit is lifted, but negative values are still refused",
			cfg:  queue.Config{Limits: queue.Unlimited},
			test: func(d *desk) {
				give := n.give(d, queue.Unlimited)
				for _, v := range n.unlimited {
					require.NoError(d, give(v), "%s of %v without limits", n.parameter, v)
				}
				for _, v := range n.negative {
					d.refused(queue.ErrInvalidParameter, func() error { return give(v) })
				}
			},
		},
	}
}

func (n numericLimit[V]) refuse(d *desk, vs []V) {
	d.Helper()
	give := n.give(d, queue.SQSLimits)
	for _, v := range vs {
		d.Logf("%s of %v (%d)", n.parameter, v, v)
		err := d.refused(queue.ErrInvalidParameter, func() error { return give(v) })
		if v < n.min {
			d.limit(err, n.parameter, v, n.min, nil)
		} else {
			d.limit(err, n.parameter, v, nil, n.max)
		}
	}
}

// durations fills in the values of a duration, in the range from zero or from
// lower to upper.
func durations(parameter, where string, lower, upper time.Duration, give func(*desk, queue.Limits) func(time.Duration) error) []testCase {
	n := numericLimit[time.Duration]{
		parameter: parameter, where: where, min: lower, max: upper, give: give,
		inside:    []time.Duration{0, max(lower, 1), lower + tick, upper/2 + 1, upper - 1, upper},
		outside:   []time.Duration{upper + 1, upper + tick, upper + time.Second, -2, -tick, -time.Second},
		absurd:    []time.Duration{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, -upper, 1000 * upper},
		unlimited: []time.Duration{upper + 1, 1000 * upper, math.MaxInt64},
		negative:  []time.Duration{-2, -time.Second, math.MinInt64},
	}
	if lower == 0 {
		n.inside = append(n.inside, queue.None)
	} else {
		n.outside = append(n.outside, lower-1, lower-tick, 1)
		n.unlimited = append(n.unlimited, lower-1, 1)
	}
	return n.cases()
}

func limitCases() []testCase {
	visibility := giveConfig(func(cfg *queue.Config, v time.Duration) { cfg.VisibilityTimeout = v })
	delay := giveConfig(func(cfg *queue.Config, v time.Duration) { cfg.Delay = v })
	wait := giveConfig(func(cfg *queue.Config, v time.Duration) { cfg.ReceiveWait = v })
	retention := giveConfig(func(cfg *queue.Config, v time.Duration) { cfg.Retention = v })
	return slices.Concat(
		durations("VisibilityTimeout", "config", 0, queue.MaxVisibility, visibility),
		durations("VisibilityTimeout", "receive", 0, queue.MaxVisibility, giveReceive),
		changeLimit.cases(),
		durations("DelaySeconds", "config", 0, queue.MaxDelay, delay),
		standardOnly(durations("DelaySeconds", "message", 0, queue.MaxDelay, giveDelay)),
		durations("ReceiveMessageWaitTimeSeconds", "", 0, queue.MaxWait, wait),
		durations("WaitTimeSeconds", "", 0, queue.MaxWait, giveWait),
		durations("MessageRetentionPeriod", "", queue.MinRetention, queue.MaxRetention, retention),
		maxMessagesLimit.cases(),
		messageSizeLimit.cases(),
		maxReceivesLimit.cases(),
		attributeLimitCases,
		textLimitCases,
		kindLimitCases,
	)
}

func standardOnly(cases []testCase) []testCase {
	for i := range cases {
		cases[i].kind = queue.Standard
	}
	return cases
}

// giveConfig makes a queue of a Config with the value in it, and has the case's
// own queue take the same value while it lives.
func giveConfig[V any](set func(cfg *queue.Config, v V)) func(*desk, queue.Limits) func(V) error {
	return func(d *desk, limits queue.Limits) func(V) error {
		return func(v V) error {
			cfg := queue.Config{Name: d.name("limited"), Limits: limits}
			set(&cfg, v)
			q, err := d.harness.New(d.T, cfg)
			if err != nil {
				require.Nil(d, q, "queue of a Config that is refused")
				return err
			}
			if live, ok := queue.As[configurable](d.q); ok {
				original := live.Config()
				cfg := original
				set(&cfg, v)
				require.NoError(d, live.Reconfigure(d.Context(), cfg), "Reconfigure to what New takes")
				require.NoError(d, live.Reconfigure(d.Context(), original), "Reconfigure back")
			}
			return q.Close()
		}
	}
}

const century = 100 * 365 * 24 * time.Hour

func giveReceive(d *desk, _ queue.Limits) func(time.Duration) error {
	d.send("a")
	return func(v time.Duration) error {
		start := time.Now()
		got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Wait: queue.None, VisibilityTimeout: v})
		if err != nil {
			return err
		}
		require.Equal(d, []string{"a"}, bodies(got))
		if v == queue.None {
			return nil
		}
		end := start.Add(min(v, century)) // the calendar of an implementation may end
		require.False(d, got[0].VisibleAt.Before(end), "VisibleAt is %v, before %v", got[0].VisibleAt, end)
		d.nothing()
		d.change(got[0].Receipt, 0)
		return nil
	}
}

func giveWait(d *desk, _ queue.Limits) func(time.Duration) error {
	return func(v time.Duration) error {
		if v <= queue.MaxWait {
			_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Wait: v})
			return err
		}
		w := d.park(queue.ReceiveOptions{Wait: v})
		if !w.waiting() {
			return w.err
		}
		sleepUntil(w.parked.Add(min(v, time.Hour)).Add(tick))
		if w.waiting() {
			d.send("a")
		}
		<-w.done
		for _, got := range w.got {
			d.delete(got.Receipt)
		}
		return w.err
	}
}

func giveDelay(d *desk, _ queue.Limits) func(time.Duration) error {
	return func(v time.Duration) error {
		m := d.message("a")
		m.Delay = v
		start := time.Now()
		if _, err := d.q.Send(d.Context(), m); err != nil {
			return err
		}
		if v > 0 {
			d.nothing()
		}
		if v > queue.DefaultRetention {
			d.purge()
			return nil
		}
		if v > 0 {
			sleepUntil(start.Add(v).Add(tick))
		}
		d.delete(d.one("a").Receipt)
		return nil
	}
}

// changeLimit is not like the other durations: an argument has no default, so
// that zero is a zero.
var changeLimit = numericLimit[time.Duration]{
	parameter: "VisibilityTimeout", where: "change", min: 0, max: queue.MaxVisibility,
	inside:    []time.Duration{0, 1, tick, time.Hour, queue.MaxVisibility - 1, queue.MaxVisibility},
	outside:   []time.Duration{queue.MaxVisibility + 1, queue.MaxVisibility + tick, -2, -tick, -time.Second},
	absurd:    []time.Duration{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, -queue.MaxVisibility},
	unlimited: []time.Duration{queue.MaxVisibility + 1, 1000 * queue.MaxVisibility, math.MaxInt64},
	negative:  []time.Duration{-2, -time.Second, math.MinInt64},
	give: func(d *desk, _ queue.Limits) func(time.Duration) error {
		d.send("a")
		r := d.one("a").Receipt
		return func(v time.Duration) error {
			err := d.q.ChangeVisibility(d.Context(), r, v)
			switch {
			case err != nil:
				return err
			case v == 0:
				r = d.one("a").Receipt
			default:
				d.nothing()
			}
			return nil
		}
	},
}

var maxMessagesLimit = numericLimit[int]{
	parameter: "MaxNumberOfMessages", min: 1, max: queue.MaxReceive,
	inside:    []int{0, 1, 2, 9, 10},
	outside:   []int{11, -1},
	absurd:    []int{math.MaxInt, math.MinInt, math.MaxInt32, math.MinInt32},
	unlimited: []int{11, 1000, math.MaxInt32, math.MaxInt},
	negative:  []int{-1, math.MinInt},
	give: func(d *desk, _ queue.Limits) func(int) error {
		d.send("a")
		return func(v int) error {
			got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: v, Wait: queue.None})
			if err != nil {
				return err
			}
			require.Equal(d, []string{"a"}, bodies(got))
			d.change(got[0].Receipt, 0)
			return nil
		}
	},
}

var messageSizeLimit = numericLimit[int]{
	parameter: "MaximumMessageSize", min: queue.MinMessageLimit, max: queue.MaxMessage,
	inside:    []int{0, 1024, 1025, 1<<20 - 1, 1 << 20},
	outside:   []int{1, 1023, 1<<20 + 1, -1},
	absurd:    []int{math.MaxInt, math.MinInt, math.MaxInt32, math.MinInt32},
	unlimited: []int{1, 1<<20 + 1, math.MaxInt},
	negative:  []int{-1, math.MinInt},
	give:      giveConfig(func(cfg *queue.Config, v int) { cfg.MaxMessageSize = v }),
}

var maxReceivesLimit = numericLimit[int]{
	parameter: "MaxReceiveCount", min: 1, max: queue.MaxReceivesLimit,
	inside:    []int{1, 2, 999, 1000},
	outside:   []int{1001, -1},
	absurd:    []int{math.MaxInt, math.MinInt, math.MaxInt32, math.MinInt32},
	unlimited: []int{1001, math.MaxInt32, math.MaxInt},
	negative:  []int{-1, math.MinInt},
	give: func(d *desk, limits queue.Limits) func(int) error {
		target := ability[queue.Adopter](d, d.openNamed("target", queue.Config{}))
		return giveConfig(func(cfg *queue.Config, v int) {
			cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: v}
		})(d, limits)
	},
}

// attributeLimitCases look at the numbers; the forms are under Reference/5.3.
var attributeLimitCases = []testCase{
	{
		name: "Limits/MessageAttributes/outside-count",
		rule: "an eleventh attribute is refused with the numbers",
		test: func(d *desk) {
			d.limit(refuseAttributes(d, manyAttributes(11)), "MessageAttributes", 11, nil, queue.MaxAttributes)
		},
	},
	{
		name: "Limits/MessageAttributes/absurd-count",
		rule: "ten thousand attributes are refused with the numbers",
		test: func(d *desk) {
			d.limit(refuseAttributes(d, manyAttributes(10_000)), "MessageAttributes", 10_000, nil, queue.MaxAttributes)
		},
	},
	{
		name: "Limits/MessageAttributes/outside-name-length",
		rule: "a name of 257 bytes is refused with the numbers",
		test: func(d *desk) {
			err := refuseAttributes(d, named(strings.Repeat("n", 257))[0])
			d.limit(err, "MessageAttributes", 257, nil, queue.MaxAttributeNameLength)
		},
	},
	{
		name: "Limits/MessageAttributes/absurd-name-length",
		rule: "a name of 100,000 bytes is refused with the numbers",
		test: func(d *desk) {
			err := refuseAttributes(d, named(strings.Repeat("n", 100_000))[0])
			d.limit(err, "MessageAttributes", 100_000, nil, queue.MaxAttributeNameLength)
		},
	},
	{
		name: "Limits/MessageAttributes/outside-type-length",
		rule: "a type of 257 bytes is refused with the numbers",
		test: func(d *desk) {
			err := refuseAttributes(d, typed("String." + strings.Repeat("x", 250))[0])
			d.limit(err, "MessageAttributes", 257, nil, queue.MaxAttributeTypeLength)
		},
	},
	{
		name: "Limits/MessageBody/absurd",
		rule: "a body of 16 MiB is refused with the numbers",
		test: func(d *desk) {
			err := d.refusedMessage(queue.ErrMessageTooLarge, d.message(strings.Repeat("x", 16<<20)))
			d.limit(err, "MessageBody", 16<<20, nil, queue.MaxMessage)
		},
	},
}

func refuseAttributes(d *desk, set map[string]queue.Value) error {
	d.Helper()
	m := d.message("a")
	m.Attributes = queue.NewAttributes(set)
	return d.refusedMessage(queue.ErrInvalidParameter, m)
}

const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// badIDs are not of the form of group, deduplication and attempt IDs.
var badIDs = []string{
	strings.Repeat("x", 129), strings.Repeat("x", 100_000), " ", "a b", "a ", " a", "a\tb", "a\n", "\x00", "\x7f", "é", "\xff", "\u2028",
}

// goodIDs are.
var goodIDs = []string{"x", "0", punctuation, "aZ09-" + punctuation, strings.Repeat("x", 128)}

// formLimit asserts that err is of that parameter; where it has a number, that
// is a length.
func (d *desk) formLimit(err error, parameter, given string, longest int) {
	d.Helper()
	var l *queue.LimitError
	require.True(d, errors.As(err, &l), "error of a malformed %s is a *LimitError; got %T: %v", parameter, err, err)
	require.Equal(d, parameter, l.Parameter, "LimitError.Parameter")
	if got, ok := l.Got.(int); ok {
		require.Equal(d, len(given), got, "LimitError.Got")
		require.Equal(d, longest, l.Max, "LimitError.Max")
	} else {
		require.NotEmpty(d, l.Reason, "LimitError.Reason where no number tells what is wrong")
	}
}

var textLimitCases = []testCase{
	{
		name: "Limits/MessageGroupId/inside",
		rule: "a group ID is 1 to 128 letters, digits and punctuation marks, on both kinds of queue",
		test: func(d *desk) {
			for _, id := range goodIDs {
				m := d.message("a")
				m.GroupID = id
				d.sendMessage(m)
				got := d.one("a")
				require.Equal(d, id, got.GroupID, "GroupID")
				d.delete(got.Receipt)
			}
		},
	},
	{
		name: "Limits/MessageGroupId/outside",
		rule: "a group ID of another form is refused",
		test: func(d *desk) {
			for _, id := range badIDs {
				m := d.message("a")
				m.GroupID = id
				d.formLimit(d.refusedMessage(queue.ErrInvalidParameter, m), "MessageGroupId", id, queue.MaxIDLength)
			}
		},
	},
	{
		name: "Limits/QueueName/inside-standard",
		rule: "a queue's name is 1 to 80 letters, digits, hyphens and underscores",
		kind: queue.Standard,
		test: func(d *desk) { namesTaken(d, "a", "Z-_9", strings.Repeat("n", 80), "fifo", "xfifo") },
	},
	{
		name: "Limits/QueueName/outside-standard",
		rule: "a name of another form is refused, one that ends in .fifo too",
		kind: queue.Standard,
		test: func(d *desk) {
			namesRefused(d, strings.Repeat("n", 81), strings.Repeat("n", 10_000), "a b", "a.b", "a.fifo", "a/b", "é", "a\x00", " ", "..", "\xff")
		},
	},
	{
		name: "Limits/QueueName/inside-fifo",
		rule: "a FIFO queue's name ends in .fifo, which counts towards the 80",
		kind: queue.FIFO,
		test: func(d *desk) { namesTaken(d, "a.fifo", "Z-_9.fifo", strings.Repeat("n", 75)+".fifo") },
	},
	{
		name: "Limits/QueueName/outside-fifo",
		rule: "a FIFO queue's name of another form is refused",
		kind: queue.FIFO,
		test: func(d *desk) {
			namesRefused(d, strings.Repeat("n", 76)+".fifo", "a", ".fifo", "a.b.fifo", "a.FIFO", "a.fifo.fifo", "a b.fifo", "a.fifo ")
		},
	},
}

func testLimitErrorNumbers(d *desk) {
	refused := func(m queue.Message) error {
		_, err := d.q.Send(d.Context(), m)
		return err
	}
	group := d.message("a")
	group.GroupID = "a b"
	_, badName := d.harness.New(d.T, queue.Config{Name: "a b"})
	_, badWait := d.q.Receive(d.Context(), queue.ReceiveOptions{Wait: time.Hour})
	for what, err := range map[string]error{
		"a wait": badWait, "a group ID": refused(group), "a queue's name": badName,
		"an attribute's name":  refused(attributed(d, "a b", queue.String("x"))),
		"an attribute's type":  refused(attributed(d, "a", queue.Value{Type: "Text", Data: "x"})),
		"an attribute's value": refused(attributed(d, "a", queue.Number("x"))),
	} {
		var l *queue.LimitError
		if !errors.As(err, &l) {
			require.Error(d, err, what)
			continue
		}
		numbers := 0
		for _, v := range []any{l.Got, l.Min, l.Max} {
			if v == nil {
				continue
			}
			numbers++
			require.IsType(d, l.Got, v, "Got, Min and Max for %s are of one type", what)
			switch v.(type) {
			case int, time.Duration:
			default:
				d.Errorf("a number of the LimitError for %s is a %T: %.100v; want int or time.Duration", what, v, v)
			}
		}
		require.True(d, numbers > 1 || l.Reason != "", "LimitError for %s has neither a range nor a Reason: %v", what, err)
	}
}

func namesTaken(d *desk, names ...string) {
	d.Helper()
	for _, name := range names {
		q, err := d.harness.New(d.T, queue.Config{Name: name})
		require.NoError(d, err, "a queue named %.100q", name)
		require.NoError(d, q.Close())
	}
}

func namesRefused(d *desk, names ...string) {
	d.Helper()
	for _, name := range names {
		_, err := d.harness.New(d.T, queue.Config{Name: name})
		require.ErrorIs(d, err, queue.ErrInvalidParameter, "a queue named %.100q", name)
		d.formLimit(err, "QueueName", name, 80)
	}
}

// kindLimitCases are about the form of the refusals, and about what only one
// kind of queue takes.
var kindLimitCases = []testCase{
	{
		name: "Contract/LimitError/numbers",
		rule: "a LimitError's Got, Min and Max are all durations or all int, or nil where no number tells what is wrong, and then there is a Reason",
		test: testLimitErrorNumbers,
	},
	{
		name: "Limits/ContentBasedDeduplication/outside",
		rule: "a Standard queue refuses the settings of FIFO queues",
		kind: queue.Standard,
		test: func(d *desk) {
			for _, cfg := range []queue.Config{
				{ContentDeduplication: true},
				{DeduplicationScope: queue.ScopeMessageGroup},
				{ThroughputLimit: queue.PerMessageGroupID},
				{DeduplicationScope: queue.ScopeMessageGroup, ThroughputLimit: queue.PerMessageGroupID},
			} {
				cfg.Name = d.name("refused")
				_, err := d.harness.New(d.T, cfg)
				require.ErrorIs(d, err, queue.ErrNotForThisQueue, "a queue of %+v", cfg)
			}
		},
	},
	{
		name: "Limits/FifoThroughputLimit/inside",
		rule: "deduplication scope and throughput limit go together: per group only with scope message group",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.openNamed("one", queue.Config{DeduplicationScope: queue.ScopeMessageGroup})
			d.openNamed("two", queue.Config{DeduplicationScope: queue.ScopeMessageGroup, ThroughputLimit: queue.PerMessageGroupID})
		},
	},
	{
		name: "Limits/FifoThroughputLimit/outside",
		rule: "a throughput limit per group without deduplication per group is refused",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, cfg := range []queue.Config{
				{ThroughputLimit: queue.PerMessageGroupID},
				{ThroughputLimit: 99},
				{DeduplicationScope: 99},
			} {
				cfg.Name = d.name("refused")
				_, err := d.harness.New(d.T, cfg)
				require.ErrorIs(d, err, queue.ErrInvalidParameter, "a queue of %+v", cfg)
			}
		},
	},
	{
		name: "Limits/MessageDeduplicationId/inside",
		rule: "a deduplication ID is 1 to 128 letters, digits and punctuation marks",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, id := range goodIDs {
				m := d.message("a")
				m.DeduplicationID = id
				d.sendMessage(m)
				got := d.one("a")
				require.Equal(d, id, got.DeduplicationID, "DeduplicationID")
				d.delete(got.Receipt)
			}
		},
	},
	{
		name: "Limits/MessageDeduplicationId/outside",
		rule: "a deduplication ID of another form is refused",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, id := range badIDs {
				m := d.message("a")
				m.DeduplicationID = id
				d.formLimit(d.refusedMessage(queue.ErrInvalidParameter, m), "MessageDeduplicationId", id, queue.MaxIDLength)
			}
		},
	},
	{
		name: "Limits/ReceiveRequestAttemptId/inside",
		rule: "an attempt ID is 1 to 128 letters, digits and punctuation marks",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, id := range goodIDs {
				d.receiveWith(queue.ReceiveOptions{AttemptID: id})
			}
		},
	},
	{
		name: "Limits/ReceiveRequestAttemptId/outside",
		rule: "an attempt ID of another form is refused",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.send("a")
			for _, id := range badIDs {
				err := d.refused(queue.ErrInvalidParameter, func() error {
					_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{AttemptID: id})
					return err
				})
				d.formLimit(err, "ReceiveRequestAttemptId", id, queue.MaxIDLength)
			}
		},
	},
}
