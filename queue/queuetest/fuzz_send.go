package queuetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// side picks a queue: mostly the main one.
func (r *modelRun) side() *modelSide {
	if r.pick(6) == 0 && !r.dead.closed {
		return r.dead
	}
	return r.main
}

// draft returns a message that side must accept.
func (r *modelRun) draft(s *modelSide) *modelMessage {
	r.sends++
	m := &modelMessage{label: fmt.Sprintf("m%d", r.sends)}
	m.msg.Body = m.label + " " + strings.Repeat("x", r.pick(3)*40)
	if r.pick(4) == 0 {
		m.msg.Attributes = queue.NewAttributes(map[string]queue.Value{"n": queue.Number("7"), "s": queue.String(m.label)})
	}
	if r.pick(8) == 0 {
		m.msg.TraceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	}
	if r.kind == queue.FIFO {
		m.msg.GroupID = modelPick(r, "a", "b", "c")
		m.msg.Delay = modelPick(r, 0, queue.None)
		r.draftIdentity(s, m)
		return m
	}
	if r.grouped {
		m.msg.GroupID = modelPick(r, "", "a", "b")
	}
	m.msg.Delay = modelPick(r, 0, 0, 0, queue.None, time.Millisecond, time.Second, 1100*time.Microsecond, queue.MaxDelay)
	return m
}

// draftIdentity gives m a deduplication ID, sometimes one used before.
func (r *modelRun) draftIdentity(s *modelSide, m *modelMessage) {
	again := r.pick(3) == 0
	old := fmt.Sprintf("m%d", max(1, r.sends-1-r.pick(4)))
	switch {
	case s.cfg.ContentDeduplication && again:
		m.msg.Body, m.msg.Attributes = old+" ", queue.Attributes{}
	case s.cfg.ContentDeduplication && r.pick(2) == 0:
	case again:
		m.msg.DeduplicationID = "d-" + old
	default:
		m.msg.DeduplicationID = "d-" + m.label
	}
}

func actSend(r *modelRun) {
	s := r.side()
	m := r.draft(s)
	original, unsure := s.model.original(&m.msg)
	if unsure && r.kind == queue.FIFO {
		return
	}
	ctx, canceled := r.maybeCanceled()
	what := fmt.Sprintf("%s.Send(%s)%s", s.model.name, modelDescribe(m), canceled)
	var sent queue.Sent
	call := func() (err error) {
		sent, err = s.q.Send(ctx, m.msg)
		return err
	}
	if r.kind != queue.FIFO {
		original = nil
	}
	r.act(s, what, canceled != "", []*modelMessage{m}, []*modelOriginal{original}, call,
		func() []queue.Sent { return []queue.Sent{sent} })
}

func actSendBatch(r *modelRun) {
	s := r.side()
	var ms []*modelMessage
	var originals []*modelOriginal
	var msgs []queue.Message
	labels := []string{}
	for range 1 + r.pick(queue.MaxBatch) {
		m := r.draft(s)
		if r.kind == queue.FIFO {
			// A repetition within the batch has no original yet: leave it out.
			o, unsure := s.model.original(&m.msg)
			if unsure || modelRepeats(s.model, ms, m) {
				continue
			}
			originals = append(originals, o)
		} else {
			originals = append(originals, nil)
		}
		ms, msgs, labels = append(ms, m), append(msgs, m.msg), append(labels, modelDescribe(m))
	}
	if len(ms) == 0 {
		return
	}
	var sent []queue.Sent
	r.act(s, fmt.Sprintf("%s.SendBatch(%s)", s.model.name, strings.Join(labels, ", ")), false, ms, originals,
		func() (err error) {
			sent, err = s.q.SendBatch(r.ctx, msgs)
			return err
		},
		func() []queue.Sent { return sent })
}

func modelRepeats(q *modelQueue, ms []*modelMessage, m *modelMessage) bool {
	for _, earlier := range ms {
		if q.dedupKey(&earlier.msg) == q.dedupKey(&m.msg) {
			return true
		}
	}
	return false
}

// act sends ms, of which those with an original are duplicates, and checks the
// answers when they come.
func (r *modelRun) act(s *modelSide, what string, canceled bool, ms []*modelMessage, originals []*modelOriginal,
	call func() error, sent func() []queue.Sent,
) {
	fresh := 0
	for i, m := range ms {
		if originals[i] == nil {
			fresh++
		}
		m.batch = r.sends
	}
	if s.model.full && fresh > 0 {
		want := modelVerdict{queue.ErrStoreFull}
		if canceled {
			want = append(want, context.Canceled)
		}
		r.call(&modelCall{what: what, do: call, finish: want.checker(what)})
		return
	}
	if canceled {
		// Whether a context that has ended is noticed is free, but not what it means.
		err := call()
		r.logf("%s: %v", what, err)
		if errors.Is(err, context.Canceled) {
			return
		}
		call = func() error { return err }
	}
	leans := false
	for i, m := range ms {
		if o := originals[i]; o != nil {
			leans = leans || o.m.pending
			s.model.stats.Duplicates++
			continue
		}
		s.model.send(m)
		if r.kind == queue.FIFO {
			s.model.remember(m)
		}
	}
	finish := func(err error) error {
		if err != nil {
			return fmt.Errorf("%s returned %s, want success", what, modelError(err))
		}
		return r.confirmSent(s, what, ms, originals, sent())
	}
	r.call(&modelCall{what: what, do: call, finish: finish, appends: fresh > 0, leans: leans})
}

// confirmSent checks the answers to sends that are durable now.
func (r *modelRun) confirmSent(s *modelSide, what string, ms []*modelMessage, originals []*modelOriginal, sent []queue.Sent) error {
	if len(sent) != len(ms) {
		return fmt.Errorf("%s returned %d answers for %d messages", what, len(sent), len(ms))
	}
	for i, m := range ms {
		if err := r.confirmOne(s, m, originals[i], sent[i]); err != nil {
			return fmt.Errorf("%s: answer for %s: %w", what, m.label, err)
		}
	}
	s.model.released = true
	if slices.Contains(originals, nil) { // else nothing was appended, and the original's record is all it leant on
		r.confirmDurable()
	}
	return nil
}

// confirmDurable notes an answer that leans on the store's latest commit.
func (r *modelRun) confirmDurable() {
	if r.held {
		return // it may have been released ahead of later commits
	}
	for _, s := range r.sides() {
		s.model.confirmed()
	}
}

func (r *modelRun) confirmOne(s *modelSide, m *modelMessage, original *modelOriginal, sent queue.Sent) error {
	var diff modelDiff
	if original != nil {
		modelCheck(&diff, "Duplicate", sent.Duplicate, true)
		modelCheck(&diff, "ID", sent.ID, original.m.id)
		original.m.sequence = cmp.Or(original.m.sequence, sent.Sequence) // unknown if a crash cut its answer off
		modelCheck(&diff, "Sequence", sent.Sequence, original.m.sequence)
		return diff.err("a duplicate of " + original.m.label)
	}
	m.pending = false
	modelCheck(&diff, "Duplicate", sent.Duplicate, false)
	modelCheck(&diff, "ID used before", r.ids[sent.ID], false)
	modelCheck(&diff, "ID", sent.ID, cmp.Or(m.id, sent.ID))
	if r.kind == queue.Standard {
		modelCheck(&diff, "Sequence", sent.Sequence, 0)
	} else {
		modelCheck(&diff, "Sequence above the latest", sent.Sequence > s.sequence, true)
		s.sequence = sent.Sequence
	}
	r.ids[sent.ID] = true
	m.id, m.sequence = sent.ID, sent.Sequence
	return diff.err("a new message")
}

// maybeCanceled returns a context that has ended, now and then.
func (r *modelRun) maybeCanceled() (ctx context.Context, note string) {
	if r.pick(32) != 0 || r.held {
		return r.ctx, ""
	}
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	return ctx, " with a canceled context"
}

func modelDescribe(m *modelMessage) string {
	text := m.label
	if m.msg.GroupID != "" {
		text += " group " + m.msg.GroupID
	}
	if m.msg.DeduplicationID != "" {
		text += " id " + m.msg.DeduplicationID
	}
	if m.msg.Delay != 0 {
		text += " delay " + modelDuration(m.msg.Delay)
	}
	return text
}

func modelDuration(d time.Duration) string {
	if d == queue.None {
		return "None"
	}
	return d.String()
}
