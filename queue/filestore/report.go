package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// A Report is what a directory has.
type Report struct {
	Clean    bool // the store was closed, not killed
	Segments []SegmentReport
	Spares   int           // files that are allocated for segments to come
	Queues   []QueueReport // by number; nil if the log can't be read
	Metas    int           // named values of the layer above

	// Damage is what is wrong. It is empty if there is nothing, as far as was
	// looked.
	Damage []*DamageError
}

// A SegmentReport is what a Report says of a segment, in order of epochs.
type SegmentReport struct {
	File   string
	Epoch  uint32
	Size   int64 // of the file, in bytes
	Used   int64 // bytes of header and frames; zero if not known
	Needed int64 // bytes of what is still needed of it
}

// A QueueReport is what a Report says of a queue.
type QueueReport struct {
	Number   uint64
	Name     string
	Kind     queue.Kind
	Messages int64
	Next     uint64 // above every number ever inserted
	Dedup    int    // deduplication entries in memory; those in blocks are not counted
	Read     int64  // messages that Verify or Salvage read; zero after Inspect
}

// Inspect tells what the store in dir has, without reading its records. It
// changes nothing. It locks the directory meanwhile: a store that is open is
// [queue.ErrStoreLocked]. Damage is in the report, not an error.
func Inspect(dir string) (Report, error) {
	return examine(context.Background(), dir, nil)
}

// Verify is Inspect, and reads every segment and every record.
func Verify(ctx context.Context, dir string) (Report, error) {
	return examine(ctx, dir, (*Store).verify)
}

// examine opens the store in dir for reading and makes a report. more may add to
// it.
func examine(ctx context.Context, dir string, more func(*Store, context.Context, *survey, *Report) error) (r Report, err error) {
	d, err := disk.Existing(dir)
	if err != nil {
		return r, err
	}
	unlock, err := d.Lock()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	v, err := look(ctx, d)
	if r.note(err) != nil {
		return r, err
	}
	if v == nil {
		return r, nil
	}
	r.Spares = len(v.spares)
	s, err := v.reader(ctx, &r)
	if err != nil {
		return r, err
	}
	if s != nil {
		defer s.handles.close()
		r.fill(v, s.state)
		if more != nil {
			err = more(s, ctx, v, &r)
		}
		return r, err
	}
	r.fill(v, nil)
	return r, nil
}

// note adds damage to the report; any other error it returns.
func (r *Report) note(err error) error {
	if err == nil {
		return nil
	}
	var damage *DamageError
	if !errors.As(err, &damage) {
		return err
	}
	r.Damage = append(r.Damage, damage)
	return nil
}

// reader returns a store that can only be read, or nil if the log can't be.
func (v *survey) reader(ctx context.Context, r *Report) (*Store, error) {
	rec, err := v.recover(ctx)
	if err != nil {
		return nil, r.note(err)
	}
	r.Clean = rec.clean
	return &Store{
		disk: v.disk, state: rec.state, handles: handles{disk: v.disk, open: map[uint32]*handle{}},
		err: errReading,
	}, nil
}

// errReading keeps a store from being changed that was opened to be read.
var errReading = fmt.Errorf("filestore: only read: %w", queue.ErrStoreFailed)

// fill writes down what the state says; nil if it is not known.
func (r *Report) fill(v *survey, s *state) {
	for _, epoch := range slices.Sorted(maps.Keys(v.segments)) {
		g := v.segments[epoch]
		if s != nil && s.segments[epoch] != nil {
			g = s.segments[epoch]
		}
		report := SegmentReport{File: v.disk.Path(g.name()), Epoch: epoch, Size: g.size, Needed: g.live}
		if g.end > firstFrame {
			report.Used = g.end
		}
		r.Segments = append(r.Segments, report)
	}
	if s == nil {
		return
	}
	r.Metas = len(s.meta)
	for _, q := range s.queues {
		r.Queues = append(r.Queues, QueueReport{
			Number: q.number, Name: q.name, Kind: q.kind, Messages: q.records, Next: q.next, Dedup: len(q.dedup),
		})
	}
	slices.SortFunc(r.Queues, func(a, b QueueReport) int { return cmp.Compare(a.Number, b.Number) })
}

// verify reads all frames and all records.
func (s *Store) verify(ctx context.Context, v *survey, r *Report) error {
	for _, epoch := range slices.Sorted(maps.Keys(s.segments)) {
		g := s.segments[epoch]
		if g.end <= firstFrame {
			continue
		}
		err := v.frames(ctx, g, firstFrame, func(frameInfo, []byte, place) string { return "" })
		if err := r.note(err); err != nil {
			return err
		}
	}
	for i := range r.Queues {
		q := &r.Queues[i]
		err := s.each(ctx, q, func([]queue.Record) error { return nil }, r)
		if err != nil {
			return err
		}
		if _, err := s.readDedup(ctx, s.queues[q.Number].dedupBlocks); r.note(err) != nil {
			return err
		}
	}
	return nil
}

// each hands on the records of a queue that can be read, some at a time.
func (s *Store) each(ctx context.Context, q *QueueReport, some func([]queue.Record) error, r *Report) error {
	var records []queue.Record
	pages := slices.Clone(s.queues[q.Number].pages)
	for _, p := range pages {
		var err error
		records, err = s.Load(ctx, q.Number, p.first, pageEnd(p.first), records[:0])
		if err := r.noteAll(err); err != nil {
			return err
		}
		q.Read += int64(len(records))
		if err := some(records); err != nil {
			return err
		}
		clear(records)
	}
	return nil
}

// noteAll adds joined damage to the report; any other error it returns.
func (r *Report) noteAll(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if err := r.note(err); err != nil {
				return err
			}
		}
		return nil
	}
	return r.note(err)
}
