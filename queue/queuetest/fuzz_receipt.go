package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// receiptSide picks a queue that has handed out receipts, if there is one.
func (r *modelRun) receiptSide() *modelSide {
	s := r.side()
	if len(s.model.receipts) == 0 {
		return r.main
	}
	return s
}

// receipt picks a receipt: one of the queue's, mostly a late one, or a bad one.
func (r *modelRun) receipt(s *modelSide) *modelReceipt {
	n := len(s.model.receipts)
	if n == 0 || r.pick(16) == 0 {
		return r.badReceipt(s)
	}
	if r.pick(4) == 0 {
		return s.model.receipts[r.pick(n)]
	}
	return s.model.receipts[n-1-r.pick(min(n, 6))]
}

func (r *modelRun) badReceipt(s *modelSide) *modelReceipt {
	bad := func(receipt queue.Receipt, err error) *modelReceipt {
		return &modelReceipt{of: s.model, r: receipt, bad: err}
	}
	other := r.main
	if s == r.main {
		other = r.dead
	}
	kind := r.pick(8)
	if kind == 2 && len(other.model.receipts) == 0 {
		kind = 3
	}
	switch {
	case kind == 0:
		return bad(queue.Receipt{}, queue.ErrMissingParameter)
	case kind == 1:
		return bad(queue.ForeignReceipt("somebody else's"), queue.ErrReceiptInvalid)
	case kind == 2:
		return other.model.receipts[r.pick(len(other.model.receipts))]
	case len(s.model.receipts) == 0:
		return bad(modelForge(strings.Repeat("0123456789abcdef", 4), 0), queue.ErrReceiptInvalid)
	}
	text := s.model.receipts[r.pick(len(s.model.receipts))].r.String()
	return bad(modelForge(text, r.pick(len(text))), queue.ErrReceiptInvalid)
}

// modelForge returns the receipt of that text with one digit changed: whatever
// it stands for, the check must notice.
func modelForge(text string, at int) queue.Receipt {
	digit := byte('0')
	if text[at] == digit {
		digit = '7'
	}
	forged, err := queue.ParseReceipt(text[:at] + string(digit) + text[at+1:])
	if err != nil {
		return queue.ForeignReceipt(text)
	}
	return forged
}

func (rc *modelReceipt) String() string {
	if rc.m == nil {
		return fmt.Sprintf("a receipt that is %q", rc.bad)
	}
	return fmt.Sprintf("the receipt for %s of %s", rc.m.label, modelTime(rc.at))
}

func actDelete(r *modelRun) {
	s := r.receiptSide()
	rc := r.receipt(s)
	verdict := s.model.mayDelete(rc)
	r.releaseUnlessSure(verdict)
	what := fmt.Sprintf("%s.Delete(%v)", s.model.name, rc)
	d := r.deleting(s, rc, verdict)
	r.call(&modelCall{
		what: what, appends: d.effective, leans: d.leans,
		do:     func() error { return s.q.Delete(r.ctx, rc.r) },
		finish: func(err error) error { return d.finish(what, err) },
	})
}

// modelDeletion is a delete under way. It takes effect in the model at once
// where its success is sure.
type modelDeletion struct {
	r         *modelRun
	s         *modelSide
	rc        *modelReceipt
	verdict   modelVerdict
	effective bool // it is this one that deletes
	leans     bool // it repeats one that is not durable
}

func (r *modelRun) deleting(s *modelSide, rc *modelReceipt, v modelVerdict) *modelDeletion {
	d := &modelDeletion{r: r, s: s, rc: rc, verdict: v}
	if rc.m == nil || rc.of != s.model {
		return d
	}
	d.leans = rc.m.leaving
	if len(v) == 1 && v[0] == nil && !rc.m.gone {
		d.apply()
		rc.m.leaving = true
		s.leaving = append(s.leaving, rc.m)
	}
	return d
}

func (d *modelDeletion) apply() {
	d.effective = true
	d.rc.m.deleted = true
	d.s.model.remove(d.rc.m, &d.s.model.stats.Deleted)
}

func (d *modelDeletion) finish(what string, err error) error {
	if e := d.verdict.check(what, err); e != nil || err != nil || d.rc.m == nil {
		return e
	}
	if d.effective {
		d.rc.m.leaving = false
		d.s.leaving = slices.DeleteFunc(d.s.leaving, func(m *modelMessage) bool { return m == d.rc.m })
		d.r.confirmDurable()
	} else if !d.rc.m.gone {
		d.apply()
	}
	return nil
}

// releaseUnlessSure ends a hold before a call whose outcome can't be told
// beforehand.
func (r *modelRun) releaseUnlessSure(v modelVerdict) {
	if len(v) != 1 {
		r.release()
	}
}

func actDeleteBatch(r *modelRun) {
	s := r.receiptSide()
	r.release()
	var rs []queue.Receipt
	var deletions []*modelDeletion
	labels := []string{}
	for range 1 + r.pick(4) {
		rc := r.receipt(s)
		v := s.model.mayDelete(rc)
		deletions = append(deletions, r.deleting(s, rc, v))
		rs, labels = append(rs, rc.r), append(labels, rc.String())
	}
	what := fmt.Sprintf("%s.DeleteBatch(%s)", s.model.name, strings.Join(labels, ", "))
	do := func() error { return s.q.DeleteBatch(r.ctx, rs) }
	r.call(&modelCall{what: what, do: do, finish: func(err error) error {
		for i, d := range deletions {
			if e := d.finish(fmt.Sprintf("%s: entry %d", what, i), modelEntry(err, i)); e != nil {
				return e
			}
		}
		return nil
	}})
}

// modelEntry returns the error of entry i of a batch call.
func modelEntry(err error, i int) error {
	var batch *queue.BatchError
	if !errors.As(err, &batch) {
		return err
	}
	for _, e := range batch.Entries {
		if e.Index == i {
			return e.Err
		}
	}
	return nil
}

// timeout picks a timeout for a visibility change of rc's message, with
// emphasis on the cap of 12 hours.
func (r *modelRun) timeout(rc *modelReceipt) time.Duration {
	if r.pick(6) == 0 && rc.m != nil {
		left := time.Duration(rc.m.lastAt-r.now())*time.Millisecond + queue.MaxVisibility
		return left + modelPick(r, 0, time.Millisecond, -time.Millisecond)
	}
	return modelPick(r, 0, 0, 0, time.Millisecond, 1500*time.Microsecond, time.Second, time.Minute, time.Hour,
		queue.MaxVisibility, queue.MaxVisibility+1, -time.Second)
}

func actChangeVisibility(r *modelRun) {
	s := r.receiptSide()
	rc := r.receipt(s)
	d := r.timeout(rc)
	verdict := s.model.mayHide(rc, d)
	r.releaseForMoves(s)
	what := fmt.Sprintf("%s.ChangeVisibility(%v, %v)", s.model.name, rc, d)
	do := func() error { return s.q.ChangeVisibility(r.ctx, rc.r, d) }
	r.call(&modelCall{what: what, do: do, finish: func(err error) error {
		return s.model.finishHide(what, rc, d, verdict, err)
	}})
}

func (q *modelQueue) finishHide(what string, rc *modelReceipt, d time.Duration, v modelVerdict, err error) error {
	if e := v.check(what, err); e != nil {
		return e
	}
	if err == nil {
		q.hide(rc.m, modelMillis(d))
		rc.m.changed = true
	}
	var limit *queue.LimitError
	if errors.Is(err, queue.ErrInvalidParameter) && !errors.As(err, &limit) {
		return fmt.Errorf("%s returned the error %q, which is no *LimitError", what, err)
	}
	return nil
}

func actChangeVisibilityBatch(r *modelRun) {
	s := r.receiptSide()
	r.releaseForMoves(s)
	var cs []queue.VisibilityChange
	var rcs []*modelReceipt
	labels := []string{}
	for range 1 + r.pick(4) {
		rc := r.receipt(s)
		if slices.ContainsFunc(rcs, func(o *modelReceipt) bool { return o.m == rc.m && rc.m != nil }) {
			continue // the entries' order would matter
		}
		c := queue.VisibilityChange{Receipt: rc.r, Timeout: r.timeout(rc)}
		rcs, cs, labels = append(rcs, rc), append(cs, c), append(labels, fmt.Sprintf("%v: %v", rc, c.Timeout))
	}
	what := fmt.Sprintf("%s.ChangeVisibilityBatch(%s)", s.model.name, strings.Join(labels, ", "))
	do := func() error { return s.q.ChangeVisibilityBatch(r.ctx, cs) }
	r.call(&modelCall{what: what, do: do, finish: func(err error) error {
		for i, rc := range rcs {
			v := s.model.mayHide(rc, cs[i].Timeout)
			entry := fmt.Sprintf("%s: entry %d", what, i)
			if e := s.model.finishHide(entry, rc, cs[i].Timeout, v, modelEntry(err, i)); e != nil {
				return e
			}
		}
		return nil
	}})
}

func actDeadLetter(r *modelRun) {
	s := r.receiptSide()
	d, ok := queue.As[queue.DeadLetterer](s.q)
	if !ok {
		return
	}
	r.release()
	rc := r.receipt(s)
	reason := modelPick(r, "", "it would not parse")
	verdict := s.model.mayMove(rc)
	if s.model.dead == nil || s.model.cfg.maxReceives == 0 {
		verdict = append(modelFailures(verdict), queue.ErrNoDeadLetter)
	} else if s.model.refuses {
		verdict = append(modelFailures(verdict), queue.ErrClosed, queue.ErrStoreFull)
	}
	what := fmt.Sprintf("%s.DeadLetter(%v, %q)", s.model.name, rc, reason)
	do := func() error { return d.DeadLetter(r.ctx, rc.r, reason) }
	r.call(&modelCall{what: what, do: do, finish: func(err error) error {
		if e := verdict.check(what, err); e != nil || err != nil {
			return e
		}
		s.model.moveTo(s.model.dead, rc.m, reason)
		return nil
	}})
}
