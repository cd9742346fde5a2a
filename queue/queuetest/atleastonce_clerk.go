package queuetest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

const (
	pause    = 100 * time.Millisecond // before a call is repeated
	maxTries = 20                     // failures in a row of one call
	calm     = 5 * time.Minute        // without a delivery: there is nothing more
	someDay  = 6 * time.Hour          // for what must happen some day
)

// A clerk calls a queue for one receiver or sender, repeats what has to be
// repeated, and keeps the book. What a queue may not do ends the case.
type clerk struct {
	*office
	q     queue.Queue
	aside bool // works in a goroutine that is not the case's own
}

// A parcel is a letter in the hands of a clerk.
type parcel struct {
	*letter
	queue.Delivery
}

// clerk returns a clerk of the case's queue.
func (o *office) clerk() *clerk { return o.clerkAt(o.q) }

func (o *office) clerkAt(q queue.Queue) *clerk { return &clerk{office: o, q: q} }

// together lets clerks work at the same time, and waits for all.
func (o *office) together(work ...func(c *clerk)) {
	o.Helper()
	var all sync.WaitGroup
	for _, w := range work {
		c := o.clerk()
		c.aside = true
		all.Go(func() { w(c) }) // ends with its work, which is bounded in time
	}
	all.Wait()
	if o.Failed() {
		o.FailNow()
	}
}

// fatalf ends the case, or this clerk's part in it.
func (c *clerk) fatalf(format string, args ...any) {
	c.Helper()
	if !c.aside {
		c.Fatalf(format, args...)
	}
	c.Errorf(format, args...)
	runtime.Goexit()
}

// letters makes n letters, of all that a message may have. change, if not nil,
// may change a message before it is entered in the book.
func (o *office) letters(n int, change func(i int, m *queue.Message)) []*letter {
	var ls []*letter
	for i := range n {
		number := len(o.book.letters)
		m := queue.Message{Body: fmt.Sprintf("letter %d", number)}
		if number%3 == 1 {
			m.Body += ": Grüße, 世界 & <b>\"😀\"</b>\t\r\n"
		}
		if number%3 == 2 {
			m.Attributes = queue.NewAttributes(map[string]queue.Value{
				"text":   queue.String(fmt.Sprintf("of %d", number)),
				"number": queue.Number("-12.50"),
				"binary": queue.Binary([]byte{0, 0xff, byte(number)}),
			})
		}
		if number%4 == 3 {
			m.TraceHeader = fmt.Sprintf("Root=1-5759e988-%024x;Parent=53995c3f42cd8ad8;Sampled=1", number)
		}
		if number%5 == 4 {
			m.GroupID = fmt.Sprintf("tenant-%d", number%3)
		}
		if o.harness.Kind == queue.FIFO {
			// Nobody waits for another one, unless the case says so.
			m.GroupID = fmt.Sprintf("group-%d", number)
			m.DeduplicationID = fmt.Sprintf("letter-%d", number)
		}
		if change != nil {
			change(i, &m)
		}
		ls = append(ls, o.book.add(m, &o.cfg))
	}
	return ls
}

// insist makes a call for n entries, and again for those that failed so that they
// must be repeated. once makes it for the entries of those numbers and returns
// their errors; settle is told of every answer that is not ErrThrottled.
func (c *clerk) insist(what string, n int, once func(of []int) []error, settle func(i int, err error)) {
	c.Helper()
	of := make([]int, n)
	for i := range of {
		of[i] = i
	}
	for tries := 1; ; tries++ { // with the same entries
		var again []int
		var last error
		for k, err := range once(of) {
			if errors.Is(err, queue.ErrThrottled) {
				again, last = append(again, of[k]), err
				continue
			}
			settle(of[k], err)
			if errors.Is(err, queue.ErrUncertain) {
				again, last = append(again, of[k]), err
			}
		}
		if len(again) == 0 {
			return
		}
		if len(again) < len(of) {
			tries = 0
		}
		if of = again; tries == maxTries {
			c.fatalf("%s failed %d times in a row: %v", what, tries, last)
		}
		time.Sleep(pause)
	}
}

// entryErrors returns the error of each of n entries of a batch.
func entryErrors(n int, err error) []error {
	errs := make([]error, n)
	var batch *queue.BatchError
	switch {
	case err == nil:
	case errors.As(err, &batch):
		for _, e := range batch.Entries {
			if e.Index < 0 || e.Index >= n {
				return slices.Repeat([]error{fmt.Errorf("entry %d of %d: %w", e.Index, n, err)}, n)
			}
			errs[e.Index] = e.Err
		}
	default:
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

// choose returns the elements of those numbers.
func choose[T any](all []T, of []int) []T {
	chosen := make([]T, 0, len(of))
	for _, i := range of {
		chosen = append(chosen, all[i])
	}
	return chosen
}

// send sends the letters, in a batch if there are several, until all of them are
// accepted.
func (c *clerk) send(ls ...*letter) {
	c.Helper()
	answers := make([]queue.Sent, len(ls))
	c.insist("Send", len(ls), func(of []int) []error {
		now := choose(ls, of)
		c.book.sending(now)
		if len(now) == 1 {
			sent, err := c.q.Send(c.Context(), now[0].m)
			answers[of[0]] = sent
			return []error{err}
		}
		ms := make([]queue.Message, 0, len(now))
		for _, l := range now {
			ms = append(ms, l.m)
		}
		sent, err := c.q.SendBatch(c.Context(), ms)
		errs := entryErrors(len(ms), err)
		if len(sent) != len(ms) && slices.Contains(errs, nil) {
			c.fatalf("SendBatch of %d messages returned %d answers, %v", len(ms), len(sent), err)
		}
		for k := range sent {
			answers[of[k]] = sent[k]
		}
		return errs
	}, func(i int, err error) {
		switch {
		case errors.Is(err, queue.ErrUncertain):
			c.book.uncertain(ls[i])
		case err != nil:
			c.fatalf("Send(%.40q) = %v", ls[i].m.Body, err)
		default:
			if err := c.book.accept(ls[i], answers[i]); err != nil {
				c.fatalf("%v", err)
			}
		}
	})
}

// sendMixed sends letters in order, some alone and some in batches.
func (c *clerk) sendMixed(ls []*letter) {
	c.Helper()
	sizes := []int{1, queue.MaxBatch, 1, 2, 1, 5}
	for i := 0; len(ls) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(ls))
		c.send(ls[:n]...)
		ls = ls[n:]
	}
}

// poll is the Receive of most cases: a long one, for as many as there may be.
var poll = queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.MaxWait}

// receive makes one Receive, which o tells of entirely but for the timeout.
func (c *clerk) receive(o queue.ReceiveOptions) []parcel {
	c.Helper()
	timeout := o.VisibilityTimeout
	if timeout == 0 {
		timeout = c.cfg.VisibilityTimeout
	}
	if timeout == 0 || c.q == c.dead {
		timeout = queue.DefaultVisibility
	}
	var got []queue.Delivery
	var asked time.Time
	c.insist("Receive", 1, func([]int) []error {
		asked = time.Now()
		var err error
		got, err = c.q.Receive(c.Context(), o)
		return []error{err}
	}, func(_ int, err error) {
		switch {
		case errors.Is(err, queue.ErrUncertain):
			c.book.with(func() {
				if c.q != c.dead {
					c.book.lost++
				}
				c.book.mayHideLocked(time.Now().Add(timeout))
			})
		case err != nil:
			c.fatalf("Receive = %v", err)
		}
	})
	if len(got) > max(o.Max, 1) {
		c.fatalf("a Receive of up to %d messages delivered %d", o.Max, len(got))
	}
	if len(got) == 0 && time.Since(asked) < pause {
		time.Sleep(pause) // who polls again and again lets time pass
	}
	var ps []parcel
	for i := range got {
		l, err := c.book.deliver(c, &got[i], asked, timeout)
		if err != nil {
			c.fatalf("%v", err)
		}
		ps = append(ps, parcel{l, got[i]})
	}
	return ps
}

// delete deletes the parcels, in a batch if there are several, until that is
// acknowledged or their receipts have expired: then they come back, unless an
// earlier call has deleted them and only its answer was lost.
func (c *clerk) delete(ps ...parcel) {
	c.Helper()
	perhaps := make([]bool, len(ps))
	c.insist("Delete", len(ps), func(of []int) []error {
		rs := make([]queue.Receipt, 0, len(of))
		for _, p := range choose(ps, of) {
			c.book.with(func() { p.deleting, p.heldUntil = true, time.Time{} })
			rs = append(rs, p.Receipt)
		}
		if len(rs) == 1 {
			return []error{c.q.Delete(c.Context(), rs[0])}
		}
		return entryErrors(len(rs), c.q.DeleteBatch(c.Context(), rs))
	}, func(i int, err error) {
		switch {
		case err == nil:
			c.book.with(func() { ps[i].deleted++ })
		case errors.Is(err, queue.ErrUncertain):
			perhaps[i] = true
		case errors.Is(err, queue.ErrReceiptExpired):
			c.book.with(func() { ps[i].perhapsDeleted = ps[i].perhapsDeleted || perhaps[i] })
		default:
			c.fatalf("Delete of %.40q = %v", ps[i].Body, err)
		}
	})
}

// change changes the visibility of the parcels, in a batch if there are several,
// and returns those for which that was acknowledged. The others are back, or
// gone.
func (c *clerk) change(timeout time.Duration, ps ...parcel) (changed []parcel) {
	c.Helper()
	began := make([]time.Time, len(ps)) // of the latest call
	c.insist("ChangeVisibility", len(ps), func(of []int) []error {
		cs := make([]queue.VisibilityChange, 0, len(of))
		now := time.Now()
		c.book.with(func() {
			for _, i := range of {
				began[i] = now
				if until := now.Add(timeout); until.Before(ps[i].heldUntil) {
					ps[i].heldUntil = until
				}
				cs = append(cs, queue.VisibilityChange{Receipt: ps[i].Receipt, Timeout: timeout})
			}
		})
		if len(cs) == 1 {
			return []error{c.q.ChangeVisibility(c.Context(), cs[0].Receipt, timeout)}
		}
		return entryErrors(len(cs), c.q.ChangeVisibilityBatch(c.Context(), cs))
	}, func(i int, err error) {
		c.book.mayHide(time.Now().Add(timeout))
		switch {
		case err == nil:
			changed = append(changed, ps[i])
			c.book.with(func() {
				if ps[i].holder == c {
					ps[i].heldUntil = began[i].Add(timeout)
				}
			})
		case errors.Is(err, queue.ErrUncertain), errors.Is(err, queue.ErrReceiptExpired):
		case errors.Is(err, queue.ErrMessageGone) && c.book.mayBeGone(ps[i].letter):
		default:
			c.fatalf("ChangeVisibility of %.40q to %v = %v", ps[i].Body, timeout, err)
		}
	})
	return changed
}

// receiveUntil polls until all letters are done, and hands each answer to each,
// if that is not nil.
func (c *clerk) receiveUntil(o queue.ReceiveOptions, ls []*letter, what string, done func(l *letter) bool, each func(ps []parcel)) {
	c.Helper()
	for end := time.Now().Add(someDay); ; {
		missing, ok := c.book.all(ls, done)
		if ok {
			return
		}
		if c.aside && c.Failed() {
			runtime.Goexit() // somebody else has said why
		}
		if time.Now().After(end) {
			c.fatalf("not %s after %v: %s", what, someDay, missing)
		}
		if ps := c.receive(o); len(ps) > 0 && each != nil {
			each(ps)
		}
	}
}

// isDeleted reports whether nobody has to wait for another delivery of l.
func isDeleted(l *letter) bool { return l.deleted > 0 || l.perhapsDeleted }

// drain deletes what the queue still delivers, until it has been calm for so long
// that there can be nothing more.
func (c *clerk) drain() {
	c.Helper()
	begin := time.Now()
	last := begin // when there could still be something
	for {
		c.book.with(func() {
			if c.book.hidden.After(last) {
				last = c.book.hidden
			}
		})
		if time.Since(last) > calm {
			return
		}
		ps := c.receive(poll)
		if len(ps) == 0 {
			continue
		}
		if last = time.Now(); last.Sub(begin) > someDay {
			c.fatalf("the queue does not run empty: after %v it still delivers %s", someDay, names(ps))
		}
		c.delete(ps...)
	}
}

func names(ps []parcel) string {
	var all []string
	for _, p := range ps {
		all = append(all, p.describe())
	}
	return strings.Join(all, ", ")
}
