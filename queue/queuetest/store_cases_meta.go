package queuetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeMetaCases = []storeCase{
	{
		name: "Meta/none",
		rule: "a store that was given no named values has none",
		test: func(d *storeDesk) {
			require.Empty(d, d.meta())
			d.queue("orders").insert(1)
			require.Empty(d, d.meta())
			d.verify()
		},
	},
	{
		name: "Meta/set",
		rule: "a named value is set, replaced, and removed by nil; the others stay",
		test: func(d *storeDesk) {
			d.queue("orders")
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")}, queue.Meta{Name: "b", Value: []byte("2")})
			d.verify()
			d.setMeta(queue.Meta{Name: "a", Value: []byte("another, longer")}, queue.Meta{Name: "c", Value: []byte("3")})
			d.verify()
			d.setMeta(queue.Meta{Name: "a"}, queue.Meta{Name: "c", Value: []byte("s")})
			d.verify()
			require.Equal(d, map[string][]byte{"b": []byte("2"), "c": []byte("s")}, d.meta(), "Meta")
			d.setMeta(queue.Meta{Name: "a", Value: []byte("back")}, queue.Meta{Name: "b"}, queue.Meta{Name: "c"})
			d.verify()
		},
	},
	{
		name: "Meta/remove-unknown",
		rule: "removing a name that has no value does nothing",
		test: func(d *storeDesk) {
			d.setMeta(queue.Meta{Name: "never set"})
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")}, queue.Meta{Name: "b"})
			d.setMeta(queue.Meta{Name: "b"}, queue.Meta{Name: "never set"})
			d.verify()
		},
	},
	{
		name: "Meta/empty",
		rule: "an empty value is a value: its name is there",
		test: func(d *storeDesk) {
			d.setMeta(queue.Meta{Name: "a", Value: []byte{}}, queue.Meta{Name: "b", Value: []byte("x")[:0]}, queue.Meta{Name: "c", Value: []byte("c")})
			for range 2 {
				meta := d.meta()
				require.Contains(d, meta, "a")
				require.Contains(d, meta, "b")
				require.Empty(d, meta["a"])
				require.Empty(d, meta["b"])
				d.verify()
			}
			d.setMeta(queue.Meta{Name: "c", Value: []byte{}}, queue.Meta{Name: "a", Value: []byte("a")}, queue.Meta{Name: "b"})
			d.verify()
		},
	},
	{
		name: "Meta/names-and-values",
		rule: "a name may be any text and a value any bytes, and names are different however little they differ",
		test: func(d *storeDesk) {
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			var values []queue.Meta
			for i, name := range []string{
				"a", "A", "a ", " a", "a/b", "a.b", "a\x00b", "a\x00c", "größe", "gro\u0308ße", "注文", "\xff", "'; --", strings.Repeat("n", 1000), strings.Repeat("n", 999) + "m",
			} {
				values = append(values, queue.Meta{Name: name, Value: append([]byte{byte(i)}, every...)})
			}
			d.setMeta(values...)
			d.verify()
			d.setMeta(queue.Meta{Name: "a", Value: []byte("\x00")}, queue.Meta{Name: "A"}, queue.Meta{Name: "a/b", Value: []byte(noise(d, 60_000))})
			d.verify()
		},
	},
	{
		name: "Meta/many",
		rule: "there may be many named values, replaced and removed at will",
		test: func(d *storeDesk) {
			for n := range 5 {
				var values []queue.Meta
				for i := range 1000 {
					v := queue.Meta{Name: fmt.Sprintf("queue/%d", i*(n+1)), Value: fmt.Appendf(nil, "value %d of round %d", i, n)}
					if i%10 == n {
						v.Value = nil
					}
					values = append(values, v)
				}
				d.setMeta(values...)
			}
			d.verify()
		},
	},
	{
		name: "Meta/map-is-the-callers",
		rule: "the map that Meta returned is the caller's: it may be overwritten, values too, and later batches don't change it",
		test: func(d *storeDesk) {
			d.setMeta(queue.Meta{Name: "a", Value: []byte("one")}, queue.Meta{Name: "b", Value: []byte("two")})
			got := d.meta()
			got["c"] = []byte("three")
			delete(got, "b")
			copy(got["a"], "ONE")
			d.seesMeta("after the caller changed its map")
			d.reopen()

			got = d.meta()
			d.setMeta(queue.Meta{Name: "a", Value: []byte("uno")}, queue.Meta{Name: "b"}, queue.Meta{Name: "d", Value: []byte("quattro")})
			require.Equal(d, map[string][]byte{"a": []byte("one"), "b": []byte("two")}, got, "a map that was returned before")
			clear(got)
			d.verify()
		},
	},
	{
		name: "Meta/with-changes",
		rule: "a batch may have named values beside changes of queues",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for i := range 5 {
				d.appendBatch(&queue.Batch{
					Now: d.tick(), Changes: []queue.Change{q.insertion(2)},
					Meta: []queue.Meta{{Name: "latest", Value: fmt.Append(nil, i)}},
				})
			}
			d.verify()
		},
	},
	{
		name: "Meta/cancelled",
		rule: "a Meta call whose context has ended returns its error",
		test: func(d *storeDesk) {
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")})
			ctx, cancel := context.WithCancel(d.ctx)
			cancel()
			_, err := d.st.Meta(ctx)
			d.fails(err, context.Canceled, "Meta with an ended context")
			d.seesMeta("after a context error")
		},
	},
}
