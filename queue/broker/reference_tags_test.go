package broker_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// tags returns a queue's tags.
func (q *refQueue) tags() map[string]string {
	q.d.t.Helper()
	m, err := q.Tags(q.d.ctx)
	require.NoError(q.d.t, err)
	return m
}

// tag adds tags, given as keys and values in turn.
func (q *refQueue) tag(pairs ...string) {
	q.d.t.Helper()
	require.NoError(q.d.t, q.Tag(q.d.ctx, q.d.attributes(pairs...)))
}

var referenceTags = []referenceRow{
	{"4.6/merge", "New tags join those that are there; an equal key gets the new value.", func(d *refDesk) {
		q := d.queue("jobs")
		q.tag("a", "1", "b", "2")
		q.tag("b", "3", "c", "4")
		require.Equal(d.t, map[string]string{"a": "1", "b": "3", "c": "4"}, q.tags())
		require.Equal(d.t, q.tags(), d.get("jobs").tags())
		require.Empty(d.t, d.queue("other").tags())
	}},
	{"4.6/case-sensitive", "Keys that differ in case are different keys.", func(d *refDesk) {
		q := d.queue("jobs")
		q.tag("key", "1", "Key", "2", "KEY", "3")
		require.Equal(d.t, map[string]string{"key": "1", "Key": "2", "KEY": "3"}, q.tags())
		require.NoError(d.t, q.Untag(d.ctx, "Key"))
		require.Equal(d.t, map[string]string{"key": "1", "KEY": "3"}, q.tags())
	}},
	{"4.6/empty-value", "A tag's value may be empty.", func(d *refDesk) {
		q := d.queue("jobs")
		q.tag("a", "", "b", "1")
		q.tag("b", "")
		require.Equal(d.t, map[string]string{"a": "", "b": ""}, q.tags())
	}},
	{"4.6/untag", "Removing tags removes those named, and takes no offence at keys that aren't there.", func(d *refDesk) {
		q := d.queue("jobs")
		q.tag("a", "1", "b", "2", "c", "3")
		require.NoError(d.t, q.Untag(d.ctx, "a", "nobody", "c"))
		require.Equal(d.t, map[string]string{"b": "2"}, q.tags())
		require.NoError(d.t, q.Untag(d.ctx, "nobody"))
		require.NoError(d.t, q.Untag(d.ctx, "b"))
		require.Empty(d.t, q.tags())
	}},
	{"4.6/none", "A queue without tags lists none.", func(d *refDesk) {
		require.Empty(d.t, d.queue("jobs").tags())
	}},
	{"4.6/tag-nothing", "Adding no tags is refused as a missing parameter.", func(d *refDesk) {
		q := d.queue("jobs")
		d.says(q.Tag(d.ctx, nil), queue.ErrMissingParameter, "The request must contain the parameter Tags.")
		d.says(q.Tag(d.ctx, map[string]string{}), queue.ErrMissingParameter, "The request must contain the parameter Tags.")
	}},
	{"4.6/untag-nothing", "Removing no tags is refused as an invalid parameter.", func(d *refDesk) {
		q := d.queue("jobs")
		q.tag("a", "1")
		d.says(q.Untag(d.ctx), queue.ErrInvalidParameter, "Tag keys must be between 1 and 128 characters in length.")
		require.Equal(d.t, map[string]string{"a": "1"}, q.tags())
	}},
	{"4.6/fifty", "A queue takes fifty tags; what becomes of more is not certain.", func(d *refDesk) {
		q := d.queue("jobs")
		for i := range 50 {
			q.tag(fmt.Sprintf("key-%d", i), "v")
		}
		require.Len(d.t, q.tags(), 50)
		q.tag("key-7", "w")
		require.Len(d.t, q.tags(), 50)
	}},
	{"4.6/lengths", "A key has 1 to 128 characters, a value up to 256, counted as characters and not as bytes.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, letter := range []string{"x", "ä", "日", "😀"} {
			q.tag(strings.Repeat(letter, 128), strings.Repeat(letter, 256))
			q.tag(letter, "")
			before := q.tags()
			require.ErrorIs(d.t, q.Tag(d.ctx, map[string]string{strings.Repeat(letter, 129): "v"}), queue.ErrInvalidParameter)
			require.ErrorIs(d.t, q.Tag(d.ctx, map[string]string{"k": strings.Repeat(letter, 257)}), queue.ErrInvalidParameter)
			require.ErrorIs(d.t, q.Tag(d.ctx, map[string]string{"": "v", "fine": "v"}), queue.ErrInvalidParameter)
			require.Equal(d.t, before, q.tags(), "a refused call changes nothing")
		}
		_, err := d.b.CreateTagged(d.ctx, "more", nil, map[string]string{"": "v"})
		require.ErrorIs(d.t, err, queue.ErrInvalidParameter)
		_, err = d.b.GetQueue("more")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
	}},
	{"4.6/reserved-prefix", "A key doesn't begin with aws:, which is reserved.", func(d *refDesk) {
		q := d.queue("jobs")
		require.ErrorIs(d.t, q.Tag(d.ctx, map[string]string{"aws:key": "v", "fine": "v"}), queue.ErrInvalidParameter)
		require.Empty(d.t, q.tags())
		q.tag("aws", "aws:value", "my-aws:", "v")
		require.Len(d.t, q.tags(), 2)
		_, err := d.b.CreateTagged(d.ctx, "more", nil, map[string]string{"aws:key": "v"})
		require.ErrorIs(d.t, err, queue.ErrInvalidParameter)
	}},
	{"4.6/kept-over-restart", "Tags are the same after a restart.", func(d *refDesk) {
		d = d.durable()
		q := d.queue("jobs")
		q.tag("a", "1", "b", "", "c", "3")
		require.NoError(d.t, q.Untag(d.ctx, "c"))
		_, err := d.b.CreateTagged(d.ctx, "other", nil, map[string]string{"ä": "日"})
		require.NoError(d.t, err)
		d.restart(time.Minute)
		require.Equal(d.t, map[string]string{"a": "1", "b": ""}, d.get("jobs").tags())
		require.Equal(d.t, map[string]string{"ä": "日"}, d.get("other").tags())
	}},
}
