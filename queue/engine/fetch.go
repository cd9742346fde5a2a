package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/restantemq/restante/queue"
)

// maxLoad is about how many bytes of contents are read at once, where they are
// spread evenly over a page; at worst it is sixteen times that.
const maxLoad = 1 << 20

// bring reads from the store what a page lacks, and makes the page warm; of
// contents, as much as maxLoad allows, from the message at index at on. The
// caller must hold q.mu, which is let go meanwhile; the time after is returned.
//
// There is one load at a time. If another is under way, bring only waits for it:
// a caller looks again whether it still lacks something.
//
// Errors: ctx's, after which nothing has changed, and the store's. After one
// that is queue.ErrStoreCorrupt the page is there without its damaged messages,
// or in a FIFO queue, where nothing must overtake them, what was wanted is not.
func (q *Queue) bring(ctx context.Context, now int64, p *Page, at int) (int64, error) {
	if q.loading != nil {
		return q.awaitLoad(ctx, now)
	}
	if p.stored.cold && !p.stored.away && p.stored.out == 0 && q.mayThaw(p) {
		q.thaw(p, func(i int, s *slot) string {
			_, e := p.content(i, s)
			return e[groupField]
		})
		return now, nil
	}
	records, now, err := q.read(ctx, now, p, at, p.stored.cold)
	if q.pages.byFirst[p.First] != p { // purged meanwhile
		return now, nil
	}
	if err == nil || errors.Is(err, queue.ErrStoreCorrupt) {
		err = q.install(p, at, records, err, now)
	}
	return now, err
}

// read is load under the lock, which is let go meanwhile. No other page is read
// at the time, and a page that isn't away stays: so what is read of it is true.
func (q *Queue) read(ctx context.Context, now int64, p *Page, at int, whole bool) ([]queue.Record, int64, error) {
	bytes := p.stored.bytes
	done := make(chan struct{})
	q.loading = done
	p.stored.pins++
	q.letGo(now)
	records, err := q.load(ctx, p.First, at, whole, bytes)
	now = q.clock.now()
	q.mu.Lock()
	q.leave()
	p.stored.pins--
	q.loading = nil
	close(done)
	return records, now, err
}

// fillUp makes pages of a FIFO queue warm while they take no more than half the
// window, so that a receive finds as many messages of one group as it can take,
// and turns are taken among all groups. A longer queue promises neither.
func (q *Queue) fillUp(ctx context.Context, now int64) (int64, error) {
	for q.kind == queue.FIFO && q.store != nil && q.held < q.window/2 && !q.manyWarm() {
		p, ok := q.behind.Min()
		if !ok {
			break
		}
		var err error
		if now, err = q.bring(ctx, now, p, 0); err == nil {
			err = q.refusing()
		}
		if errors.Is(err, queue.ErrStoreCorrupt) {
			break // what is older can be handed out
		}
		if err != nil {
			return now, err
		}
	}
	return now, nil
}

// awaitLoad waits for the load that is under way.
func (q *Queue) awaitLoad(ctx context.Context, now int64) (int64, error) {
	loading := q.loading
	q.letGo(now)
	var err error
	select {
	case <-loading: // it ends because the store's Load does
	case <-ctx.Done():
		err = fmt.Errorf("wait for the store: %w", ctx.Err())
	}
	now = q.clock.now()
	q.mu.Lock()
	q.leave()
	return now, err
}

// load reads records of the page that begins at first. Of a whole page all come,
// those beyond maxLoad without their bodies; else only those at index at and a
// few more. The caller must not hold q.mu.
func (q *Queue) load(ctx context.Context, first uint64, at int, whole bool, bytes int64) (records []queue.Record, err error) {
	step := loadStep(bytes)
	from, end := first, first+pageSize
	if !whole && step < pageSize {
		from = first + uint64(at)
		end = min(end, from+step)
	}
	var damage error
	kept := 0
	for ; from < end; from += step {
		n := len(records)
		if records, err = q.store.Load(ctx, q.number, from, min(from+step, end), records); err != nil {
			if !errors.Is(err, queue.ErrStoreCorrupt) {
				return nil, err
			}
			damage = errors.Join(damage, err)
		}
		for i := n; i < len(records); i++ {
			r := &records[i]
			if step < pageSize && (kept >= maxLoad || r.Seq < first+uint64(at)) {
				r.Body, r.Attributes = "", queue.Attributes{}
			}
			kept += r.Size()
		}
	}
	return records, damage
}

// loadStep returns how many messages to read at once of a page with that many
// bytes.
func loadStep(bytes int64) uint64 {
	if bytes <= maxLoad {
		return pageSize
	}
	return max(1, uint64(pageSize*maxLoad/bytes))
}

// mayThaw reports whether the Order may be told of a cold page now.
func (q *Queue) mayThaw(p *Page) bool {
	if q.kind == queue.Standard {
		return true
	}
	first, _ := q.behind.Min()
	return first == p
}

// install takes what was loaded of a page into memory. It returns damage, if the
// page lacks something for it.
func (q *Queue) install(p *Page, at int, records []queue.Record, damage error, now int64) error {
	g := &p.stored
	if q.kind == queue.FIFO {
		if g.damaged = damage != nil; g.damaged && g.cold {
			return damage
		}
	} else if damage != nil && g.away {
		n := p.live - len(records)
		if n == 0 {
			damage = nil // it is known
		}
		q.lose(p, n)
		if len(records) == 0 {
			q.free(p)
			return damage
		}
	}
	wasHere := !g.away
	if g.away {
		q.unpack(p, records, now)
	}
	for k := range records {
		r := &records[k]
		i := int(r.Seq - p.First)
		if s := p.slot(i); s != nil && s.state != gone && s.flags&isOut != 0 && r.Body != "" {
			q.refill(p, i, s, r)
		}
	}
	q.latest = p
	if damage != nil && wasHere && !q.missing(p, at) {
		damage = nil // others are damaged: whoever wants them comes upon it
	}
	if g.cold && q.mayThaw(p) {
		next := 0
		q.thaw(p, func(i int, s *slot) string {
			for next < len(records) && records[next].Seq < p.Seq(i) {
				next++
			}
			if next == len(records) || records[next].Seq != p.Seq(i) { // it was sent since: its content is here
				_, e := p.content(i, s)
				return e[groupField]
			}
			return records[next].GroupID
		})
	}
	q.trim()
	return damage
}

// missing reports whether the content of a message can't be read: it is still out
// after it was read. In a Standard queue the message is given up, if nobody holds
// it.
func (q *Queue) missing(p *Page, i int) bool {
	s := p.slot(i)
	if s == nil || s.flags&isOut == 0 {
		return false
	}
	if q.kind == queue.Standard && s.state == queue.Visible {
		q.stats.Unreadable++
		q.gone(p, i, s)
	}
	return true
}

// unpack makes the slots of a page that was away.
func (q *Queue) unpack(p *Page, records []queue.Record, now int64) {
	g := &p.stored
	q.stats.Visible -= p.visible()
	q.stats.Delayed -= len(g.dues)
	step := queue.Step(0)
	if g.unseen {
		step = queue.StepRecovered
	}
	*g = paged{cold: true, late: g.late, pins: g.pins, bytes: g.bytes}
	p.live = 0
	if q.kind == queue.Standard {
		q.behind.Delete(p)
	}
	oldest := int64(never)
	for i := range records {
		r := &records[i]
		due := q.dueOf(r)
		if due <= floor(now) {
			due = 0
		}
		at, s := q.put(p, r.Seq, &r.Message, r, r.SentAt, due)
		q.settle(p, at, s, now, step)
		oldest = min(oldest, r.SentAt)
	}
	if p.minSent != oldest {
		q.setAge(p, oldest)
	}
	if p.sparse() {
		p.compact()
	}
}

// dueOf returns the end of a stored message's delay: that of a FIFO queue's is
// the queue's, which may have changed since.
func (q *Queue) dueOf(r *queue.Record) int64 {
	if q.kind == queue.Standard {
		return r.DueAt
	}
	if d := q.config.Load().Delay; d > 0 && r.Receives == 0 && !adopted(r) {
		return r.SentAt + millis(d)
	}
	return 0
}

// refill gives a message its content back.
func (q *Queue) refill(p *Page, i int, s *slot, r *queue.Record) {
	if p.bodies == nil && p.builder == nil && len(p.texts) == 0 {
		p.bodies = make([]string, pageSize)
	}
	s.flags &^= isOut
	p.stored.out--
	p.store(i, s, r.Body, q.extraOf(r.Seq, &r.Message, r), q.hint)
	q.weigh(p, r.Message.Size())
}

// lose counts messages that can't be read.
func (q *Queue) lose(p *Page, n int) {
	for ; n > 0 && p.visible() > 0; n-- {
		p.live--
		q.stats.Visible--
		q.stats.Unreadable++
	}
	for ; n > 0 && len(p.stored.dues) > 0; n-- {
		p.live--
		p.stored.dues = p.stored.dues[1:]
		q.stats.Delayed--
		q.stats.Unreadable++
	}
}

// fetchWaited brings a page for those who wait, from a goroutine of its own that
// ends with it; Close waits for it.
func (q *Queue) fetchWaited(p *Page, at int) {
	now := q.clock.now()
	q.mu.Lock()
	if q.loading == nil && q.pages.byFirst[p.First] == p && q.waiters.head != nil {
		var err error
		if now, err = q.bring(context.Background(), now, p, at); err != nil {
			if w := q.waiters.pop(); w != nil {
				w.serve(err)
			}
		}
	}
	q.fetching = false
	q.leave()
	q.unlock(now)
}

// refresh brings back the page in stale, so that what is over can be removed.
func (q *Queue) refresh(now int64) int64 {
	p := q.stale
	q.stale = nil
	now, err := q.bring(context.Background(), now, p, 0)
	if err != nil && p.stored.away && q.pages.byFirst[p.First] == p {
		q.setAge(p, never) // it stays in the store: expire can do nothing for it
	}
	return now
}

// reach returns when what receipts name can be told: none is on its way to
// another queue, and their pages are here. In a FIFO queue a page that is away
// stays so, but it is known which messages there are: their receipts have
// expired. The caller must hold q.mu, which may be let go meanwhile; the time
// after is returned. After an error nothing has happened.
func (q *Queue) reach(ctx context.Context, now int64, rs ...queue.Receipt) (_ int64, err error) {
	var pinned pins
	defer pinned.release()
	for {
		if now, err = q.awaitStill(ctx, now, rs...); err != nil {
			return now, err
		}
		p := q.awayOf(rs)
		if p == nil {
			return now, nil
		}
		pinned.add(p)
		if q.kind == queue.FIFO {
			now, err = q.learn(ctx, now, p)
		} else {
			now, err = q.bring(ctx, now, p, 0)
		}
		if refusing := q.refusing(); err == nil && refusing != nil {
			err = refusing
		}
		if err != nil {
			return now, err
		}
	}
}

// awayOf returns a page that must be read before all receipts can be judged.
func (q *Queue) awayOf(rs []queue.Receipt) *Page {
	for i := range rs {
		if p := q.pageOf(&rs[i]); p != nil && p.stored.away && (q.kind == queue.Standard || p.stored.lives == nil) {
			return p
		}
	}
	return nil
}

// learn finds out which messages a page that is away has, and the ends of their
// delays. Like bring, it may only wait for another load.
func (q *Queue) learn(ctx context.Context, now int64, p *Page) (int64, error) {
	if q.loading != nil {
		return q.awaitLoad(ctx, now)
	}
	first := p.First
	records, now, err := q.read(ctx, now, p, pageSize, true)
	if err != nil || q.pages.byFirst[first] != p {
		return now, err
	}
	g := &p.stored
	q.stats.Visible -= p.visible()
	q.stats.Delayed -= len(g.dues)
	g.lives, g.dues = new(Bits), nil
	for i := range records {
		at := int(records[i].Seq - first)
		g.lives.Set(at)
		if ends := q.dueOf(&records[i]); ends > floor(now) {
			g.dues = append(g.dues, due{stampOf(ends), uint8(at)})
		}
	}
	g.sortDues()
	if len(g.dues) > 0 && (p.alarm == 0 || g.dues[0].at.ms() < p.next) {
		q.setAlarm(p, g.dues[0].at.ms(), floor(now))
	}
	q.stats.Visible += p.visible()
	q.stats.Delayed += len(g.dues)
	q.offerAgain(p)
	return now, nil
}

// redelayAway applies a changed delay to the pages that are away. What can't be
// read keeps its delay until it can.
func (q *Queue) redelayAway(now int64) int64 {
	if q.store == nil {
		return now
	}
	for _, p := range q.ascending() {
		for q.loading != nil {
			now, _ = q.awaitLoad(context.Background(), now)
		}
		if p.stored.away && q.pages.byFirst[p.First] == p {
			now, _ = q.learn(context.Background(), now, p)
		}
	}
	return now
}

// liesAway reports whether a message is in a page that is away, of which is
// known what it has.
func (q *Queue) liesAway(seq uint64) bool {
	p, i := q.pages.At(seq)
	return p != nil && p.stored.away && p.stored.lives != nil && p.stored.lives.Has(i)
}

// pins are pages that a call has asked for one by one and needs together. All is
// done under the lock.
type pins []*Page

func (s *pins) add(p *Page) {
	p.stored.pins++
	*s = append(*s, p)
}

func (s *pins) release() {
	for _, p := range *s {
		p.stored.pins--
	}
	*s = nil
}

// bringContents brings what messages carry that are here, of those numbers.
func (q *Queue) bringContents(ctx context.Context, now int64, seqs ...uint64) (_ int64, err error) {
	var pinned pins
	defer pinned.release()
	for k := 0; k < len(seqs) && err == nil; {
		p, i, s := q.find(seqs[k])
		if s != nil {
			pinned.add(p)
		}
		if s == nil || s.flags&isOut == 0 {
			k++
			continue
		}
		if now, err = q.bring(ctx, now, p, i); err == nil {
			err = q.refusing()
		}
	}
	return now, err
}
