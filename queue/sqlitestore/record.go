package sqlitestore

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// messageColumns are what a record is read from, in the order of columnsOf and
// scan.
const messageColumns = `seq, id, body, attributes, group_id, deduplication_id, delay, trace_header,
	sent_at, due_at, first_received_at, receives, dead_letter_source, dead_letter_reason`

// columnsOf returns the values of messageColumns.
func columnsOf(r *queue.Record) []any {
	return []any{
		int64(r.Seq), r.ID[:], text(r.Body), []byte(r.Attributes.Encoded()), text(r.GroupID), text(r.DeduplicationID),
		int64(r.Delay), text(r.TraceHeader), r.SentAt, r.DueAt, r.FirstReceivedAt, int64(r.Receives),
		text(r.DeadLetterSource), text(r.DeadLetterReason),
	}
}

// text returns what a string is stored as: text if it is some, so that others
// can read the table, and otherwise bytes, which SQLite doesn't convert.
func text(s string) any {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return []byte(s)
}

// A row is a record as it is read.
type row struct {
	seq, delay, sent, due, first, receives, checksum      int64
	id                                                    []byte
	body, attributes, group, dedup, trace, source, reason string
}

// targets are where messageColumns and checksum are scanned to.
func (w *row) targets() []any {
	return []any{
		&w.seq, &w.id, &w.body, &w.attributes, &w.group, &w.dedup, &w.delay, &w.trace,
		&w.sent, &w.due, &w.first, &w.receives, &w.source, &w.reason, &w.checksum,
	}
}

// record turns a row into a record of that queue, or tells that it is damaged.
func (w *row) record(number uint64) (r queue.Record, err error) {
	attributes, err := queue.DecodeAttributes(w.attributes)
	if err != nil || len(w.id) != len(r.ID) || w.receives < 0 || w.receives != int64(uint32(w.receives)) {
		return r, corrupt("message %d of queue %d is malformed", w.seq, number)
	}
	r = queue.Record{
		Seq: uint64(w.seq),
		Message: queue.Message{
			Body: w.body, Attributes: attributes, GroupID: w.group, DeduplicationID: w.dedup,
			Delay: time.Duration(w.delay), TraceHeader: w.trace,
		},
		SentAt: w.sent, DueAt: w.due, FirstReceivedAt: w.first, Receives: uint32(w.receives),
		DeadLetterSource: w.source, DeadLetterReason: w.reason,
	}
	copy(r.ID[:], w.id)
	if checksum(number, &r) != w.checksum {
		return r, corrupt("message %d of queue %d is not what was stored", w.seq, number)
	}
	return r, nil
}

// checksum returns the CRC-32C of what doesn't change in a record. SQLite has
// none of its own.
func checksum(number uint64, r *queue.Record) int64 {
	var b [5 * 8]byte
	for i, n := range [5]uint64{number, r.Seq, uint64(r.Delay), uint64(r.SentAt), uint64(r.DueAt)} {
		binary.LittleEndian.PutUint64(b[8*i:], n)
	}
	table := crc32.MakeTable(crc32.Castagnoli) // made once, by package crc32
	sum := crc32.Update(crc32.Update(0, table, b[:]), table, r.ID[:])
	for _, s := range [...]string{
		r.Body, r.Attributes.Encoded(), r.GroupID, r.DeduplicationID, r.TraceHeader, r.DeadLetterSource, r.DeadLetterReason,
	} {
		binary.LittleEndian.PutUint64(b[:8], uint64(len(s)))
		sum = crc32.Update(sum, table, b[:8])
		sum = crc32.Update(sum, table, []byte(s))
	}
	return int64(sum)
}
