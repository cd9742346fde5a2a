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

// Salvage makes a new store in the directory to, which must not be there yet, of
// all that can be read of the one in from, and changes nothing in from. Queues
// keep their names, numbers and keys, records their numbers and IDs. Where the
// log is damaged it goes on behind the damage: what stood there is missing, so
// that a record may be lost, and one that was removed there comes back. The
// report is that of from, with everything that was found to be wrong.
func Salvage(ctx context.Context, from, to string) (r Report, err error) {
	if _, err := disk.Existing(to); err == nil {
		return r, fmt.Errorf("filestore: salvaging: %w: %s exists", queue.ErrInvalidParameter, to)
	}
	d, err := disk.Existing(from)
	if err != nil {
		return r, err
	}
	unlock, err := d.Lock()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	v, err := look(ctx, d)
	if v == nil || r.note(err) != nil {
		return r, err
	}
	w := wreck{survey: v, report: &r}
	if err := w.read(ctx); err != nil {
		return r, err
	}
	r.fill(v, w.state)
	s := &Store{disk: d, state: w.state, handles: handles{disk: d, open: map[uint32]*handle{}}, err: errReading}
	defer s.handles.close()

	saved, err := Open(ctx, to, Options{})
	if err != nil {
		return r, err
	}
	err = w.save(ctx, s, saved)
	return r, errors.Join(err, saved.Close())
}

// A wreck is a directory of which as much is read as can be.
type wreck struct {
	*survey
	*state
	report *Report
	order  []*segment
}

// A fragment is a valid frame of a wreck.
type fragment struct {
	frameInfo
	payload []byte
	at      place
}

// read makes a state of the latest checkpoint that is whole, and of all valid
// frames behind it.
func (w *wreck) read(ctx context.Context) error {
	for _, damage := range w.damaged {
		if !slices.Contains(w.report.Damage, damage) {
			w.report.Damage = append(w.report.Damage, damage)
		}
	}
	w.state = newState()
	for _, epoch := range slices.Sorted(maps.Keys(w.survey.segments)) {
		g := w.survey.segments[epoch]
		g.end = g.size
		w.order = append(w.order, g)
	}
	if len(w.order) == 0 {
		return nil
	}
	var began []place // of the checkpoints that have an end
	err := w.each(ctx, func(f *fragment) {
		if f.kind == completeFrame {
			in := &input{b: f.payload}
			began = append(began, place(in.uvarint()))
		}
	}, true)
	if err != nil {
		return err
	}
	for _, at := range slices.Backward(began) {
		restored, err := w.restore(ctx, at)
		if restored || err != nil {
			return err
		}
	}
	_, err = w.restore(ctx, 0)
	return err
}

// restore reads a checkpoint and replays what follows, frames that don't fit
// left out. It reports whether the checkpoint was whole.
func (w *wreck) restore(ctx context.Context, checkpoint place) (bool, error) {
	r := &restoration{state: newState()}
	r.store = w.order[0].store
	done, failed := checkpoint == 0, false
	take := func() {
		for _, g := range w.order {
			g.live = 0
			r.take(g)
		}
	}
	if done {
		take()
	}
	err := w.each(ctx, func(f *fragment) {
		switch {
		case failed || f.at < checkpoint:
		case done:
			if wrong := r.replay(f.kind, f.payload, f.at, frameSize(f.length)); wrong != "" {
				w.report.Damage = append(w.report.Damage, w.damageAt(f.at.epoch(), f.at.offset(), wrong))
			}
		case f.kind == checkpointFrame:
			failed = r.part(f.payload) != ""
		case f.kind == completeFrame && r.complete(f.payload, checkpoint) == "":
			done = true
			take()
		default:
			failed = true
		}
	}, false)
	if done && !failed {
		w.state = r.state
	}
	return done && !failed, err
}

// each hands on all valid frames, in the order of the log. What is not valid is
// damage, which it notes if it is told to, unless nothing follows.
func (w *wreck) each(ctx context.Context, visit func(*fragment), note bool) error {
	for _, g := range w.order {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("filestore: salvaging: %w", err)
		}
		f, err := w.disk.Open(g.name())
		if err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
		c := newScanner(f, g, firstFrame, g.size)
		bad := int64(0)
		for c.offset+frameHeader <= g.size {
			at := c.offset
			info, payload, ok, err := c.next()
			if err != nil || !ok {
				if bad == 0 {
					bad = at
				}
				c.offset = at + frameAlign
				continue
			}
			if bad != 0 && note {
				w.report.Damage = append(w.report.Damage, w.damageAt(g.epoch, bad, fmt.Sprintf("nothing valid up to %d", at)))
			}
			bad = 0
			visit(&fragment{frameInfo: info, payload: payload, at: placeAt(g.epoch, at)})
		}
		_ = f.Close() // it was only read
	}
	return nil
}

// save writes what the state has into a new store. s reads it.
func (w *wreck) save(ctx context.Context, s, to *Store) error {
	for i := range w.report.Queues {
		q := &w.report.Queues[i]
		old := w.queues[q.Number]
		to.mu.Lock()
		start := to.tail.begin()
		to.tail.buf = encodeCreation(to.tail.buf, w.now, old.number, old.name, old.kind, old.key)
		to.finish(start, batchFrame)
		to.create(old.number, old.name, old.kind, old.key)
		to.queues[old.number].attached = true
		to.mu.Unlock()

		lost, err := w.lost(ctx, s, q)
		if err != nil {
			return err
		}
		for _, p := range slices.Clone(old.pages) {
			records, err := s.Load(ctx, q.Number, p.first, pageEnd(p.first), nil)
			if err := w.report.noteAll(err); err != nil {
				return err
			}
			records = append(records, lost[p.first]...)
			slices.SortFunc(records, func(a, b queue.Record) int { return cmp.Compare(a.Seq, b.Seq) })
			q.Read += int64(len(records))
			if err := to.insertAll(q.Number, w.now, records); err != nil {
				return err
			}
		}
		if err := w.saveDedup(ctx, s, to, q.Number); err != nil {
			return err
		}
		to.mu.Lock()
		to.queues[q.Number].next = max(to.queues[q.Number].next, old.next)
		to.mu.Unlock()
	}
	to.mu.Lock()
	to.state.next = max(to.state.next, w.next)
	to.mu.Unlock()
	b := &queue.Batch{Now: w.now}
	for _, name := range slices.Sorted(maps.Keys(w.meta)) {
		b.Meta = append(b.Meta, queue.Meta{Name: name, Value: w.meta[name]})
	}
	c, err := to.Append(b)
	if err != nil {
		return err
	}
	return to.Wait(c, queue.Durable)
}

// insertAll inserts records, as few as a frame has in each batch.
func (s *Store) insertAll(number uint64, now int64, records []queue.Record) error {
	for some := range slices.Chunk(records, 32) {
		c, err := s.Append(&queue.Batch{Now: now, Changes: []queue.Change{{Queue: number, Insert: some}}})
		if err != nil {
			return err
		}
		if err := s.Wait(c, queue.Written); err != nil {
			return err
		}
	}
	return nil
}

// lost finds the records of a queue whose page blocks can't be read, by the
// pages they are of: the latest copy of each that is in the log.
func (w *wreck) lost(ctx context.Context, s *Store, q *QueueReport) (map[uint64][]queue.Record, error) {
	b := new(block)
	wanted := map[uint64]*page{}
	for _, p := range w.queues[q.Number].pages {
		if p.live != (bitmap{}) && p.block != 0 && s.readBlock(p.block, p.blockSize, b) != nil {
			wanted[p.first] = p
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	latest := map[uint64]queue.Record{}
	err := w.each(ctx, func(f *fragment) {
		visitRecords(f.kind, f.payload, func(in *input, number, seq uint64) {
			start := in.at
			in.summary()
			first, slot := pageOf(max(seq, 1))
			if p := wanted[first]; number != q.Number || in.bad || p == nil || !p.live.has(slot) || !p.resident(slot) {
				return
			}
			raw := slices.Clone(f.payload[start:in.at])
			r := queue.Record{Seq: seq}
			if (&input{b: raw}).record(string(raw), &r) == nil {
				if e := wanted[first].entry(slot); e != nil {
					r.Receives, r.FirstReceivedAt = e.receives, e.firstReceivedAt
				}
				latest[seq] = r
			}
		})
	}, false)
	records := map[uint64][]queue.Record{}
	for _, r := range latest {
		first, _ := pageOf(r.Seq)
		records[first] = append(records[first], r)
	}
	return records, err
}

// saveDedup saves the deduplication entries of a queue, block by block.
func (w *wreck) saveDedup(ctx context.Context, s, to *Store, number uint64) error {
	q := w.queues[number]
	var entries []queue.Dedup
	for _, d := range q.dedupBlocks {
		some, err := s.readDedup(ctx, []dedupBlock{d})
		if err := w.report.note(err); err != nil {
			return err
		}
		entries = append(entries, some...)
	}
	entries = dedupRecovery(append(entries, q.dedup...), w.now)
	for some := range slices.Chunk(entries, 1024) {
		if _, err := to.Append(&queue.Batch{Now: w.now, Changes: []queue.Change{{Queue: number, Dedup: some}}}); err != nil {
			return err
		}
	}
	return nil
}
