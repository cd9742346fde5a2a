package queuetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/restantemq/restante/queue"
)

var storeFlaws = slices.Concat(loadFlaws, recordFlaws, attachFlaws, recoveryFlaws, changeFlaws, appendFlaws, metaFlaws, durabilityFlaws)

var loadFlaws = []*storeFlaw{
	{
		name: "Load drops the last record", cases: []string{"Load/range", "Load/every-range", "Change/insert", "Model/reopen"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			got, err := s.MemStore.Load(ctx, number, from, to, dst)
			return got[:max(len(dst), len(got)-1)], err
		},
	},
	{
		name: "Load includes to", cases: []string{"Load/range", "Load/every-range", "Model/reopen"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			return s.MemStore.Load(ctx, number, from, to+1, dst)
		},
	},
	{
		name: "Load leaves from out", cases: []string{"Load/range", "Load/every-range", "Model/reopen"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			return s.MemStore.Load(ctx, number, from+1, to, dst)
		},
	},
	{
		name: "Load goes backwards", cases: []string{"Load/range", "Change/insert", "Model/reopen"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			got, err := s.MemStore.Load(ctx, number, from, to, dst)
			slices.Reverse(got[len(dst):])
			return got, err
		},
	},
	{
		name: "Load overwrites dst", cases: []string{"Load/appends"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			return s.MemStore.Load(ctx, number, from, to, dst[:0])
		},
	},
	{
		name: "Load sees only what is durable", cases: []string{"Load/sees-what-was-appended", "Load/sees-what-is-held", "Change/insert", "Model/reopen"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			q := s.durable.queues[number]
			for _, seq := range q.sequences(from, to) {
				dst = append(dst, *q.records[seq])
			}
			return dst, nil
		},
	},
	{
		name: "Load takes numbers to be signed", cases: []string{"Load/range"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			if from > math.MaxInt64 || to > math.MaxInt64 {
				return dst, errors.New("number out of range")
			}
			return s.MemStore.Load(ctx, number, from, to, dst)
		},
	},
	{
		name: "Load uses its memory again", cases: []string{"Load/strings-for-ever"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			n := len(dst)
			dst, err := s.MemStore.Load(ctx, number, from, to, dst)
			if s.arena == nil {
				s.arena = make([]byte, 1<<20)
			}
			free := s.arena
			for i := range dst[n:] {
				if r := &dst[n+i]; r.Body != "" && len(r.Body) < len(free) {
					used := copy(free, r.Body)
					r.Body = unsafe.String(&free[0], used)
					free = free[used:]
				}
			}
			return dst, err
		},
	},
	{
		name: "Load looks only for a while", cases: []string{"Change/wide-gaps"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			return s.MemStore.Load(ctx, number, from, min(to, 1<<40), dst)
		},
	},
	{
		name: "Load has no context", cases: []string{"Load/cancelled"},
		load: func(s *flawedStore, _ context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			return s.MemStore.Load(context.Background(), number, from, to, dst)
		},
	},
	{
		name: "Load mixes queues up", cases: []string{"Load/own-queue"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			s.mu.Lock()
			_, other := s.latest.queues[number-1]
			s.mu.Unlock()
			if other && from%256 == 5 {
				number--
			}
			return s.MemStore.Load(ctx, number, from, to, dst)
		},
	},
}

var recordFlaws = []*storeFlaw{
	{name: "no trace header", cases: []string{"Record/all-fields", "Record/each-field"}, loaded: func(r *queue.Record) { r.TraceHeader = "" }},
	{name: "no dead-letter reason", cases: []string{"Record/all-fields", "Record/each-field"}, loaded: func(r *queue.Record) { r.DeadLetterReason = "" }},
	{
		name: "no dead-letter reason without a source", cases: []string{"Record/each-field"},
		loaded: func(r *queue.Record) {
			if r.DeadLetterSource == "" {
				r.DeadLetterReason = ""
			}
		},
	},
	{
		name: "no attributes without a body", cases: []string{"Record/attributes", "Record/each-field"},
		loaded: func(r *queue.Record) {
			if r.Body == "" {
				r.Attributes = queue.Attributes{}
			}
		},
	},
	{name: "no first receive", cases: []string{"Record/all-fields", "Record/times", "Change/touch"}, loaded: func(r *queue.Record) { r.FirstReceivedAt = 0 }},
	{name: "times in seconds", cases: []string{"Record/times"}, loaded: func(r *queue.Record) { r.DueAt = r.DueAt / 1000 * 1000 }},
	{name: "signed receive count", cases: []string{"Record/receives"}, loaded: func(r *queue.Record) { r.Receives = uint32(max(0, int32(r.Receives))) }},
	{
		name: "texts end at a zero byte", cases: []string{"Record/text", "Record/bodies"},
		loaded: func(r *queue.Record) { r.Body, _, _ = strings.Cut(r.Body, "\x00") },
	},
	{name: "texts made valid", cases: []string{"Record/text"}, loaded: func(r *queue.Record) { r.GroupID = strings.ToValidUTF8(r.GroupID, "\ufffd") }},
	{name: "bodies of 64 KiB", cases: []string{"Record/bodies"}, loaded: func(r *queue.Record) { r.Body = r.Body[:min(len(r.Body), 65535)] }},
	{name: "bodies of 1 MiB", cases: []string{"Record/bodies"}, loaded: func(r *queue.Record) { r.Body = r.Body[:min(len(r.Body), 1<<20)] }},
	{
		name: "an ID of zeros where the last byte is 1", cases: []string{"Record/empty"},
		loaded: func(r *queue.Record) {
			if r.ID == (queue.MessageID{15: 1}) {
				r.ID = queue.MessageID{}
			}
		},
	},
}
