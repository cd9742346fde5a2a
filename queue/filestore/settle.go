package filestore

import (
	"context"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// settle puts the accounts of a page right, whose change c is; q is nil if it is
// an orphan. It reports whether there was something to do and it could be done.
func (s *Store) settle(c *change, q *queueState, b *block) bool {
	s.mu.Lock()
	p := c.page
	at, size := p.block, p.blockSize
	s.mu.Unlock()
	err := s.readBlock(at, size, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.unsettled(c, q) || p.block != at || s.err != nil {
		return false // meanwhile somebody else did, or it moved
	}
	if err != nil {
		c.unreadable = true
		return false
	}
	s.settleNow(p, q, b)
	return true
}

// unsettled reports whether c is the change of a page in which something is
// stale. The caller must hold s.mu.
func (s *Store) unsettled(c *change, q *queueState) bool {
	if c.page.change != c || c.stale == (bitmap{}) {
		return false
	}
	if q == nil {
		return s.orphans[c.page.block] == c.page
	}
	return s.queues[q.number] == q && q.page(c.page.first) == c.page
}

// settleNow settles p, whose block is b. The caller must hold s.mu.
func (s *Store) settleNow(p *page, q *queueState, b *block) {
	number := uint64(0)
	if q != nil {
		number = q.number
	}
	t := settlementOf(number, p, b)
	start := s.tail.begin()
	s.tail.buf = t.encode(s.tail.buf)
	s.finish(start, settleFrame)
	if !s.state.settle(&t) {
		panicf("page %d is settled, which is not there", p.first)
	}
}

// flush writes a new block of a page, even if nothing has changed in it. It
// reports whether it could.
func (s *Store) flush(q *queueState, p *page, b *block) bool {
	s.mu.Lock()
	at, size := p.block, p.blockSize
	s.mu.Unlock()
	if at != 0 {
		if err := s.readBlock(at, size, b); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if p.block == at && p.change != nil {
				p.change.unreadable = true
			}
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[q.number] != q || q.page(p.first) != p || p.block != at || s.err != nil {
		return false // meanwhile it went
	}
	if p.change != nil && p.change.stale != (bitmap{}) {
		s.settleNow(p, q, b)
	}
	start := s.tail.begin()
	s.tail.buf = encodeBlock(s.tail.buf, q, p, b)
	n := s.tail.size(start)
	written := block{bytes: p.bytes, minSentAt: p.minSentAt, maxDueAt: p.maxDueAt}
	s.adopt(p, &written, s.finish(start, pageFrame), uint32(n))
	return true
}

// recovery returns what Attach tells of a queue.
func (s *Store) recovery(ctx context.Context, q *queueState) (*queue.Recovery, error) {
	if err := s.settleAll(ctx, q); err != nil {
		return nil, err
	}
	for {
		s.mu.Lock()
		r := &queue.Recovery{Queue: q.number, Key: q.key, Next: q.next, Now: s.now}
		for _, p := range q.pages {
			if p.live != (bitmap{}) {
				r.Pages = append(r.Pages, p.info())
			}
		}
		blocks, latest := slices.Clone(q.dedupBlocks), slices.Clone(q.dedup)
		s.mu.Unlock()

		entries, damaged := s.readDedup(ctx, blocks)
		if damaged == nil {
			r.Dedup = dedupRecovery(append(entries, latest...), r.Now)
			return r, nil
		}
		s.mu.Lock()
		same := slices.Equal(blocks, q.dedupBlocks)
		s.mu.Unlock()
		if same {
			return nil, damaged
		}
	}
}

// settleAll settles all pages of a queue.
func (s *Store) settleAll(ctx context.Context, q *queueState) error {
	s.mu.Lock()
	var stale []*change
	for _, p := range q.pages {
		if c := p.change; c != nil && c.stale != (bitmap{}) && p.live != (bitmap{}) {
			stale = append(stale, c)
		}
	}
	s.mu.Unlock()
	b := new(block)
	for _, c := range stale {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("filestore: attaching %q: %w", q.name, err)
		}
		s.settle(c, q, b) // what can't be read shows when its records are loaded
	}
	return nil
}

// readDedup returns the entries of blocks.
func (s *Store) readDedup(ctx context.Context, blocks []dedupBlock) ([]queue.Dedup, error) {
	var entries []queue.Dedup
	var buf []byte
	for _, b := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("filestore: attaching: %w", err)
		}
		kind, payload, err := s.frameAt(b.place, int64(b.size), buf)
		if err == nil && kind != dedupFrame {
			err = errFrame
		}
		if err != nil {
			return nil, &DamageError{File: s.disk.Path(segmentName(b.place.epoch())), Offset: b.place.offset(), Reason: err.Error()}
		}
		in := &input{b: payload}
		in.dedupBlock(func(d queue.Dedup) { entries = append(entries, d) })
		buf = payload[:0]
	}
	return entries, nil
}
