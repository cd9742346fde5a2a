package queuetest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// storeRecordCases are about what a record keeps: everything.
var storeRecordCases = []storeCase{
	{
		name: "Record/all-fields",
		rule: "a record comes back with all its fields",
		test: func(d *storeDesk) {
			full := fullRecord(d.clock)
			for i := range reflect.TypeFor[queue.Record]().NumField() {
				if f := reflect.ValueOf(full).Field(i); f.Kind() != reflect.Struct && f.IsZero() {
					d.fatalf("internal error: %s is not tested", reflect.TypeFor[queue.Record]().Field(i).Name)
				}
			}
			keeps(d, func(r *queue.Record) { r.Message = full.Message; setRest(r, &full) })
		},
	},
	{
		name: "Record/each-field",
		rule: "every field is kept for itself: one that is empty comes back empty, beside others that are not",
		test: func(d *storeDesk) {
			full := fullRecord(d.clock)
			var sets []func(r *queue.Record)
			for _, set := range fieldSetters {
				sets = append(sets,
					func(r *queue.Record) { r.Body = ""; set(r, &full) },
					func(r *queue.Record) { r.Message = full.Message; setRest(r, &full); set(r, new(queue.Record)) })
			}
			keeps(d, sets...)
		},
	},
	{
		name: "Record/empty",
		rule: "a record may have nothing but its number and its ID",
		test: func(d *storeDesk) {
			keeps(d, func(r *queue.Record) { *r = queue.Record{Seq: r.Seq, ID: r.ID, SentAt: r.SentAt} },
				func(r *queue.Record) { *r = queue.Record{Seq: r.Seq, ID: queue.MessageID{15: 1}} },
				func(r *queue.Record) {
					*r = queue.Record{Seq: r.Seq}
					for i := range r.ID {
						r.ID[i] = 0xff
					}
				})
		},
	},
	{
		name: "Record/bodies",
		rule: "a body may have any size, and comes back byte for byte",
		test: testRecordBodies,
	},
	{
		name: "Record/large-batches",
		rule: "a batch may have several bodies of a mebibyte",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for range 3 {
				c := q.insertion(4)
				for i := range c.Insert {
					c.Insert[i].Body = noise(d, queue.MaxMessage)
				}
				d.commit(c)
				d.append(q.removal(c.Insert[1].Seq))
			}
			d.verify()
		},
	},
	{
		name: "Record/text",
		rule: "texts come back byte for byte: UTF-8 of any length, zero bytes, and, without SQS's limits, any bytes at all",
		test: func(d *storeDesk) {
			texts := []string{
				" ", "\t", "\n", "\r\n", " a ", "größe", "gro\u0308ße", "日本語", "\U0001F4EE", "\ufeffa", "\u2028", "\ufffd", "a\x00b", "\x00", "\x00\x00", "'\"`;--\\", "%s%n", "\x01\x7f",
				"\xff", "\xc3", "\xed\xa0\x80", "a\xf0\x9f", string([]byte{0, 1, 2, 253, 254, 255}), strings.Repeat("é", 64), strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat("x", 129),
				strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("注", 30_000),
			}
			var sets []func(r *queue.Record)
			for _, text := range texts {
				r := queue.Record{DeadLetterSource: text, DeadLetterReason: text}
				r.Message = queue.Message{Body: text, GroupID: text, DeduplicationID: text, TraceHeader: text}
				for i, set := range fieldSetters {
					if i < textFields {
						sets = append(sets, func(to *queue.Record) { set(to, &r) })
					}
				}
			}
			keeps(d, sets...)
		},
	},
	{
		name: "Record/attributes",
		rule: "attributes come back with their names, types and values, in their order",
		test: testRecordAttributes,
	},
	{
		name: "Record/times",
		rule: "times come back to the millisecond: zero, long ago, far ahead, in any order, the same for SentAt, DueAt and FirstReceivedAt",
		test: func(d *storeDesk) {
			year9999 := time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()
			var sets []func(r *queue.Record)
			for _, at := range []int64{0, 1, 127, 128, 255, 1e12 + 1, math.MaxInt32, math.MaxUint32, d.clock - 1, d.clock, d.clock + 1, d.clock + 900_000, year9999} {
				sets = append(sets,
					func(r *queue.Record) { r.SentAt = at },
					func(r *queue.Record) { r.DueAt = at },
					func(r *queue.Record) { r.FirstReceivedAt = at },
					func(r *queue.Record) { r.SentAt, r.DueAt, r.FirstReceivedAt = at, at, at })
			}
			keeps(d, sets...)
		},
	},
	{
		name: "Record/receives",
		rule: "a receive count comes back however large, inserted or touched",
		test: func(d *storeDesk) {
			counts := []uint32{0, 1, 127, 128, 255, 256, 65535, 65536, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32}
			var sets []func(r *queue.Record)
			for _, n := range counts {
				sets = append(sets, func(r *queue.Record) { r.Receives = n })
			}
			q := keeps(d, sets...)
			c := q.insertion(len(counts))
			for i, n := range counts {
				c.Touch = append(c.Touch, queue.Touch{Seq: c.Insert[i].Seq, Receives: n, FirstReceivedAt: d.clock})
			}
			d.append(c)
			d.verify()
		},
	},
	{
		name: "Record/delay",
		rule: "a message's delay comes back as it was, or as zero, and its end in DueAt",
		test: func(d *storeDesk) {
			keeps(d,
				func(r *queue.Record) { r.Delay, r.DueAt = time.Second, r.SentAt+1000 },
				func(r *queue.Record) { r.Delay = queue.None },
				func(r *queue.Record) { r.Delay, r.DueAt = queue.MaxDelay, r.SentAt+900_000 })
		},
	},
	{
		name: "Record/touch-changes-nothing-else",
		rule: "a touch leaves all other fields alone",
		test: func(d *storeDesk) {
			full := fullRecord(d.clock)
			q := keeps(d, func(r *queue.Record) { r.Message = full.Message; setRest(r, &full) })
			for n := range uint32(3) {
				d.commit(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: 1, Receives: full.Receives + n, FirstReceivedAt: full.FirstReceivedAt}}})
				d.verify()
			}
		},
	},
}

// keeps inserts a record changed by each of sets, in batches, and asserts that
// they all come back.
func keeps(d *storeDesk, sets ...func(r *queue.Record)) *storeQueue {
	d.Helper()
	q := d.queue("orders")
	for len(sets) > 0 {
		n := min(len(sets), 20)
		c := q.insertion(n)
		for i, set := range sets[:n] {
			set(&c.Insert[i])
		}
		d.append(c)
		sets = sets[n:]
	}
	d.verify()
	return q
}

// fullRecord has something in every field.
func fullRecord(now int64) queue.Record {
	return queue.Record{
		Seq: 1, ID: queue.MessageID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		Message: queue.Message{
			Body: "body", GroupID: "group", DeduplicationID: "deduplication", TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
			Attributes: queue.NewAttributes(map[string]queue.Value{"colour": queue.String("red"), "weight": queue.Number("3.5")}),
		},
		SentAt: now - 3000, DueAt: now - 2000, FirstReceivedAt: now - 1000, Receives: 3,
		DeadLetterSource: "source", DeadLetterReason: "reason",
	}
}

// fieldSetters copy one field each, the texts first.
var fieldSetters = []func(to, from *queue.Record){
	func(to, from *queue.Record) { to.Body = from.Body },
	func(to, from *queue.Record) { to.GroupID = from.GroupID },
	func(to, from *queue.Record) { to.DeduplicationID = from.DeduplicationID },
	func(to, from *queue.Record) { to.TraceHeader = from.TraceHeader },
	func(to, from *queue.Record) { to.DeadLetterSource = from.DeadLetterSource },
	func(to, from *queue.Record) { to.DeadLetterReason = from.DeadLetterReason },
	func(to, from *queue.Record) { to.Attributes = from.Attributes },
	func(to, from *queue.Record) { to.DueAt = from.DueAt },
	func(to, from *queue.Record) { to.FirstReceivedAt = from.FirstReceivedAt },
	func(to, from *queue.Record) { to.Receives = from.Receives },
}

const textFields = 6 // of fieldSetters

// setRest copies what is not in the message, and not what names the record.
func setRest(to, from *queue.Record) {
	to.SentAt, to.DueAt, to.FirstReceivedAt, to.Receives = from.SentAt, from.DueAt, from.FirstReceivedAt, from.Receives
	to.DeadLetterSource, to.DeadLetterReason = from.DeadLetterSource, from.DeadLetterReason
}

// noise is a text of n bytes that does not repeat itself.
func noise(d *storeDesk, n int) string {
	b := make([]byte, n)
	for i := 0; i < n; i += 8 {
		for j, v := i, d.dice().Uint64(); j < min(i+8, n); j, v = j+1, v>>8 {
			b[j] = byte(v)
		}
	}
	return string(b)
}

func testRecordBodies(d *storeDesk) {
	sizes := []int{0, 1, 2, 3, 4, 7, 8, 9, 31, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 500, 1000, 1023, 1024, 1025, 2047, 2048, 4000, 4095, 4096, 4097,
		8191, 8192, 16383, 16384, 16385, 32767, 32768, 65535, 65536, 65537, 100_000, 262_144, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20}
	q := d.queue("orders")
	for i, size := range sizes {
		c := q.insertion(3)
		c.Insert[0].Body = strings.Repeat("a", size)
		c.Insert[1].Body = noise(d, size)
		c.Insert[2].Body = strings.Repeat("\x00", size)
		d.append(c)
		if i%2 == 0 {
			d.append(q.removal(c.Insert[0].Seq))
		}
	}
	d.verify()
	d.reopen()
}

func testRecordAttributes(d *storeDesk) {
	many := map[string]queue.Value{}
	for i := range queue.MaxAttributes {
		many[fmt.Sprintf("attribute.%d_%s", i, strings.Repeat("n", 200))] = queue.String(strings.Repeat("v", i))
	}
	values := []map[string]queue.Value{
		nil, {}, many,
		{"a": queue.String("text")},
		{"a": queue.String("")},
		{"": queue.String("no name")},
		{"n": queue.Number("0")}, {"n": queue.Number("-12345678901234567890.000")}, {"n": queue.Number("1e308")},
		{"b": queue.Binary(nil)}, {"b": queue.Binary([]byte{0, 255, 0, 1})}, {"b": queue.Binary(make([]byte, 100_000))},
		{"s": {Type: "String.label", Data: "x"}, "n": {Type: "Number.float", Data: "1.5"}, "b": {Type: "Binary.png", Data: "\x89PNG"}},
		{"größe": queue.String("日本語\x00\xff"), "Größe": queue.String("2")},
		{"z": queue.String("1"), "a": queue.String("2"), "m": queue.Binary([]byte("3"))},
	}
	var sets []func(r *queue.Record)
	for _, v := range values {
		sets = append(sets,
			func(r *queue.Record) { r.Attributes = queue.NewAttributes(v) },
			func(r *queue.Record) { r.Attributes, r.Body = queue.NewAttributes(v), "" })
	}
	q := keeps(d, sets...)
	for _, r := range q.load(1, q.end()) {
		want := queue.NewAttributes(values[(r.Seq-1)/2])
		require.Equal(d, want.Len(), r.Attributes.Len(), "attributes of record %d", r.Seq)
		for name, v := range want.All() {
			got, ok := r.Attributes.Get(name)
			require.True(d, ok && got == v, "attribute %q of record %d is %+v; want %+v", name, r.Seq, got, v)
		}
	}
}
