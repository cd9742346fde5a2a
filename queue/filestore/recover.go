package filestore

import (
	"context"
	"fmt"
	"slices"
)

// A recovered log is its state and how it ends.
type recovered struct {
	*state
	clean bool // it ends with a clean frame, and nothing was written after that

	// synced is up to where the newest segment is known to be durable. What comes
	// then can be read, but perhaps only because the operating system has it.
	synced int64
}

// recover reads the log: the latest checkpoint and what came after it, or all
// of it if there is none. It changes nothing on the disk.
func (v *survey) recover(ctx context.Context) (*recovered, error) {
	if v.newest == nil {
		return &recovered{state: newState(), clean: true}, nil
	}
	end, err := v.readEnd(ctx)
	if err != nil {
		return nil, err
	}
	chain, err := v.chain(end.checkpoint)
	if err != nil {
		return nil, err
	}
	s, err := v.rebuild(ctx, chain, end.checkpoint)
	if err != nil {
		return nil, err
	}
	if err := v.checkAccounts(s); err != nil {
		return nil, err
	}
	for _, g := range s.segments {
		s.size += g.size
	}
	s.expire()
	return &recovered{state: s, clean: end.clean, synced: end.synced}, nil
}

// An ending is what the newest segment says of the log.
type ending struct {
	checkpoint place // the latest complete one; zero if there is none
	clean      bool
	synced     int64
}

// readEnd finds where the log ends, and the latest checkpoint: it ends in the
// newest segment, or was there already when that was begun. Damage is told from
// what a crash left of the last write by what follows it.
func (v *survey) readEnd(ctx context.Context) (e ending, err error) {
	g := v.newest
	f, err := v.disk.Open(g.name())
	if err != nil {
		return e, fmt.Errorf("filestore: %w", err)
	}
	defer f.Close()
	e.checkpoint = g.checkpoint
	c := newScanner(f, g, firstFrame, g.size)
	for {
		if err := ctx.Err(); err != nil {
			return e, fmt.Errorf("filestore: opening: %w", err)
		}
		frame, payload, ok, err := c.next()
		if err != nil {
			return e, v.failure(g.epoch, c.offset, err)
		}
		if !ok {
			break
		}
		e.clean = frame.kind == cleanFrame
		e.synced = max(e.synced, frame.synced)
		if frame.kind == completeFrame {
			in := &input{b: payload}
			e.checkpoint = place(in.uvarint())
		}
	}
	g.end = c.offset
	any, proved, err := remains(f, g, c.offset, g.size)
	switch {
	case err != nil:
		return e, v.failure(g.epoch, c.offset, err)
	case proved:
		return e, v.damageAt(g.epoch, c.offset, "a frame that was durable is not valid any more")
	}
	e.clean = e.clean && !any
	return e, nil
}

// chain returns the segments that have to be read, in order: from that of the
// checkpoint, or from the first of all, to the newest.
func (v *survey) chain(checkpoint place) ([]*segment, error) {
	first := max(checkpoint.epoch(), 1)
	g := v.newest
	chain := []*segment{g}
	for g.epoch > first {
		before := v.segments[g.previous]
		switch {
		case g.previous == 0:
			return nil, v.damageAt(g.epoch, 24, fmt.Sprintf("no segment before this one, though the log begins in %s", segmentName(first)))
		case before == nil && v.damaged[g.previous] != nil:
			return nil, v.damaged[g.previous]
		case before == nil:
			return nil, v.damageAt(g.previous, 0, "the file is missing")
		case g.ended < firstFrame || g.ended > before.size:
			return nil, v.damageAt(g.epoch, 28, "the segment header makes no sense")
		}
		before.end = g.ended
		g = before
		chain = append(chain, g)
	}
	if g.epoch != first {
		return nil, v.damageAt(first, 0, "the file is missing")
	}
	slices.Reverse(chain)
	return chain, nil
}

// rebuild makes a state of the frames of a chain of segments, from the
// checkpoint on.
func (v *survey) rebuild(ctx context.Context, chain []*segment, checkpoint place) (*state, error) {
	r := &restoration{state: newState()}
	r.store = v.newest.store
	r.last = v.newest
	restored := checkpoint == 0
	for i, g := range chain {
		from := int64(firstFrame)
		if i == 0 && checkpoint != 0 {
			if from = checkpoint.offset(); from < firstFrame || from > g.end {
				return nil, v.damageAt(v.newest.epoch, 32, "the place of the checkpoint makes no sense")
			}
		}
		if restored {
			r.take(g)
		}
		err := v.frames(ctx, g, from, func(f frameInfo, payload []byte, at place) string {
			switch {
			case restored:
				return r.replay(f.kind, payload, at, frameSize(f.length))
			case f.kind == checkpointFrame:
				return r.part(payload)
			case f.kind == completeFrame:
				restored = true
				r.checkpoint = checkpoint
				for _, g := range chain[:i+1] {
					r.take(g)
				}
				return r.complete(payload, checkpoint)
			}
			return "a checkpoint that breaks off"
		})
		if err != nil {
			return nil, err
		}
	}
	if !restored {
		return nil, v.damageAt(v.newest.epoch, v.newest.end, "a checkpoint that breaks off")
	}
	return r.state, nil
}

// take makes a segment that is read one of the state's. What the checkpoint says
// is needed of it, it keeps.
func (r *restoration) take(g *segment) {
	if known := r.segments[g.epoch]; known != nil {
		g.live = known.live
	}
	r.segments[g.epoch] = g
}

// frames hands on the frames of a segment from an offset on, up to its end. each
// reports what is wrong with one, or "".
func (v *survey) frames(ctx context.Context, g *segment, from int64, each func(f frameInfo, payload []byte, at place) string) error {
	f, err := v.disk.Open(g.name())
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	defer f.Close()
	c := newScanner(f, g, from, g.end)
	for c.offset < g.end {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("filestore: opening: %w", err)
		}
		at := c.offset
		frame, payload, ok, err := c.next()
		switch {
		case err != nil:
			return v.failure(g.epoch, at, err)
		case !ok:
			return v.damageAt(g.epoch, at, "a frame is not valid")
		}
		if wrong := each(frame, payload, placeAt(g.epoch, at)); wrong != "" {
			return v.damageAt(g.epoch, at, wrong)
		}
	}
	g.written, g.synced = g.end, g.end
	return nil
}

// checkAccounts makes sure that every segment that something is needed of is
// there.
func (v *survey) checkAccounts(s *state) error {
	for epoch, g := range s.segments {
		found := v.segments[epoch]
		switch {
		case g.live < 0:
			return v.damageAt(epoch, 0, "less than nothing of the segment is needed")
		case found == g:
		case found != nil && found.size == g.size:
			g.segmentHeader, g.begun = found.segmentHeader, true
			g.written, g.synced = g.end, g.end
		case g.live == 0:
			delete(s.segments, epoch) // not worth a look
		case found == nil && v.damaged[epoch] != nil:
			return v.damaged[epoch]
		case found == nil:
			return v.damageAt(epoch, 0, "the file is missing")
		default:
			return v.damageAt(epoch, 16, fmt.Sprintf("the file has %d bytes, the checkpoint says %d", found.size, g.size))
		}
	}
	return nil
}
