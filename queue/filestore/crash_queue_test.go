package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
	"github.com/restantemq/restante/standard"
)

// The second half of the campaign looks at queues over the store, as their
// users do: what of ARCHITECTURE.md's invariants a crash could break.

// Where a message may be. While a call is under way it may be in two places.
type place uint8

const (
	nowhere place = 1 << iota
	inSource
	inDead
)

// A letter is a message that a clerk sent, or is sending.
type letter struct {
	label    string // its body starts so
	message  queue.Message
	id       queue.MessageID // zero until it was accepted
	batch    int             // of those sent together
	places   place           // where it may be after a crash now
	receives int             // as the latest delivery said
	written  int             // the count that survives the process
	durable  int             // and the machine
	before   int             // written, as the latest Receive began

	sentAt     time.Time
	forgotten  bool // its deduplication was purged
	forgetting bool // or is being purged
	receipt    queue.Receipt
	heldUntil  time.Time
	deadByWord bool // DeadLetter moves or moved it
}

// A counter is a queue with its dead-letter queue, and all that was sent there.
type counter struct {
	name         string
	kind         queue.Kind
	source, dead queue.Adopter
	letters      []*letter
	receiving    bool // a Receive is under way
	purging      bool
}

// maxReceives is how often a message is delivered before it moves.
const maxReceives = 3

// A clerk uses a Standard and a FIFO queue and their dead-letter queues, all in
// one store, one call after the other.
type clerk struct {
	ctx      context.Context
	random   *rand.Rand
	store    queue.Store
	counters []*counter
	sent     int // labels letters
	batches  int
	doing    string
}

const deadReason = "the clerk said so"

// openCounters opens the queues of a clerk.
func openCounters(ctx context.Context, st queue.Store) ([]*counter, error) {
	counters := []*counter{{name: "work", kind: queue.Standard}, {name: "orders", kind: queue.FIFO}}
	for _, c := range counters {
		var err error
		suffix := ""
		if c.kind == queue.FIFO {
			suffix = ".fifo"
		}
		if c.dead, err = openQueue(ctx, st, c.kind, queue.Config{Name: c.name + "-dead" + suffix}); err != nil {
			return nil, err
		}
		letters := queue.DeadLetter{Target: c.dead, MaxReceives: maxReceives}
		if c.source, err = openQueue(ctx, st, c.kind, queue.Config{Name: c.name + suffix, DeadLetter: letters}); err != nil {
			return nil, err
		}
	}
	return counters, nil
}

func openQueue(ctx context.Context, st queue.Store, kind queue.Kind, cfg queue.Config) (queue.Adopter, error) {
	if kind == queue.FIFO {
		return fifo.Open(ctx, st, cfg)
	}
	return standard.Open(ctx, st, cfg)
}

func closeCounters(counters []*counter) error {
	var errs []error
	for _, c := range counters {
		errs = append(errs, c.source.Close(), c.dead.Close())
	}
	return errors.Join(errs...)
}

// work makes one call.
func (k *clerk) work() error {
	c := k.counters[k.random.IntN(len(k.counters))]
	calls := [...]struct {
		name string
		do   func(*counter) error
	}{
		{"Send", k.send}, {"Send", k.send}, {"Send", k.send}, {"SendBatch", k.send},
		{"Receive", k.receive}, {"Receive", k.receive}, {"Receive", k.receive}, {"Receive", k.receive}, {"Receive", k.receive},
		{"Delete", k.remove}, {"Delete", k.remove}, {"Delete", k.remove},
		{"DeadLetter", k.deadLetter}, {"Send again", k.repeat}, {"sleep", k.sleep}, {"Purge", k.purge},
	}
	n := k.random.IntN(len(calls))
	if calls[n].name == "Purge" && k.random.IntN(3) > 0 {
		n = 0
	}
	k.doing = calls[n].name + " in " + c.name
	if err := calls[n].do(c); err != nil {
		return fmt.Errorf("%s: %w", k.doing, err)
	}
	return nil
}

// settled notes that a call has waited for the store: whatever came before it is
// durable as well.
func (k *clerk) settled() {
	for _, c := range k.counters {
		for _, l := range c.letters {
			l.durable = l.written
		}
	}
}

func (k *clerk) send(c *counter) error {
	k.batches++
	var batch []*letter
	var messages []queue.Message
	for range 1 + k.random.IntN(4) {
		k.sent++
		l := &letter{label: fmt.Sprintf("letter-%d.", k.sent), batch: k.batches, places: nowhere | inSource, sentAt: time.Now()}
		l.message.Body = l.label + strings.Repeat("x", k.random.IntN(1500))
		if c.kind == queue.FIFO {
			l.message.GroupID = fmt.Sprintf("group-%d", k.random.IntN(3))
			l.message.DeduplicationID = "once-" + l.label
		}
		batch = append(batch, l)
		messages = append(messages, l.message)
	}
	c.letters = append(c.letters, batch...)
	sent, err := c.source.SendBatch(k.ctx, messages)
	if err != nil {
		return err
	}
	for i, l := range batch {
		l.places, l.id = inSource, sent[i].ID
	}
	k.settled()
	return nil
}

func (k *clerk) receive(c *counter) error {
	o := queue.ReceiveOptions{Max: 1 + k.random.IntN(6), Wait: queue.None, VisibilityTimeout: queue.None}
	if k.random.IntN(2) == 0 {
		o.VisibilityTimeout = 40 * time.Second
	}
	for _, l := range c.letters {
		if l.places == inSource && l.receives >= maxReceives {
			l.places |= inDead
		}
	}
	for _, l := range c.letters {
		l.before = l.written
	}
	c.receiving = true
	got, err := c.source.Receive(k.ctx, o)
	c.receiving = false
	if err != nil {
		return err
	}
	for i := range got {
		l := c.find(got[i].Body)
		if l == nil || l.places != inSource || got[i].Message != l.message {
			return fmt.Errorf("it delivered %.60q, which is not there", got[i].Body)
		}
		if got[i].ReceiveCount != l.receives+1 {
			return fmt.Errorf("it delivered %q for time %d, want %d", l.label, got[i].ReceiveCount, l.receives+1)
		}
		l.receives++
		l.written, l.receipt, l.heldUntil = l.receives, got[i].Receipt, got[i].VisibleAt
	}
	return k.seeMoves(c)
}

// seeMoves finds out which of the messages that may have moved did.
func (k *clerk) seeMoves(c *counter) error {
	dead, err := peek(k.ctx, c.dead)
	if err != nil {
		return err
	}
	moved := false
	for _, l := range c.letters {
		if l.places != inSource|inDead {
			continue
		}
		l.places = inSource
		if slices.ContainsFunc(dead, func(p queue.Peeked) bool { return p.Body == l.message.Body }) {
			l.places, l.written, l.before = inDead, l.receives, l.receives
			moved = true
		}
	}
	for _, l := range c.letters {
		if moved { // which waited for what came before it, not for the counts that came after
			l.durable = max(l.durable, l.before)
		}
	}
	return nil
}

func (c *counter) find(body string) *letter {
	label, _, _ := strings.Cut(body, ".")
	i := slices.IndexFunc(c.letters, func(l *letter) bool { return l.label == label+"." })
	if i < 0 || c.letters[i].message.Body != body {
		return nil
	}
	return c.letters[i]
}

// held returns letters that the clerk has a good receipt of.
func (k *clerk) held(c *counter) []*letter {
	var held []*letter
	for _, l := range c.letters {
		if l.places == inSource && l.receipt != (queue.Receipt{}) && (c.kind == queue.Standard || l.heldUntil.After(time.Now())) {
			held = append(held, l)
		}
	}
	k.random.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	return held
}

func (k *clerk) remove(c *counter) error {
	held := k.held(c)
	held = held[:min(len(held), 1+k.random.IntN(5))]
	if len(held) == 0 {
		return nil
	}
	var receipts []queue.Receipt
	for _, l := range held {
		l.places |= nowhere
		receipts = append(receipts, l.receipt)
	}
	if err := c.source.DeleteBatch(k.ctx, receipts); err != nil {
		return err
	}
	for _, l := range held {
		l.places = nowhere
	}
	k.settled()
	return nil
}

func (k *clerk) deadLetter(c *counter) error {
	held := slices.DeleteFunc(k.held(c), func(l *letter) bool { return !l.heldUntil.After(time.Now()) })
	if len(held) == 0 {
		return nil
	}
	l := held[0]
	l.places, l.deadByWord = inSource|inDead, true
	d, _ := queue.As[queue.DeadLetterer](c.source)
	if err := d.DeadLetter(k.ctx, l.receipt, deadReason); err != nil {
		return err
	}
	l.places, l.written = inDead, l.receives
	k.settled()
	return nil
}

// repeat sends something again that was accepted less than five minutes ago.
func (k *clerk) repeat(c *counter) error {
	var known []*letter
	for _, l := range c.letters {
		if c.kind == queue.FIFO && l.id != (queue.MessageID{}) && !l.forgotten && l.suppresses(time.Now()) {
			known = append(known, l)
		}
	}
	if len(known) == 0 {
		return nil
	}
	l := known[k.random.IntN(len(known))]
	sent, err := c.source.Send(k.ctx, l.message)
	if err != nil {
		return err
	}
	if !sent.Duplicate || sent.ID != l.id {
		return fmt.Errorf("sent again, %q was accepted: %+v, the original is %v", l.label, sent, l.id)
	}
	return nil // it waits for the original, not for what came later
}

func (l *letter) suppresses(now time.Time) bool {
	return now.Before(l.sentAt.Add(queue.DeduplicationInterval - time.Second))
}

func (k *clerk) sleep(*counter) error {
	time.Sleep(time.Duration(k.random.IntN(100_000)) * time.Millisecond)
	return nil
}

func (k *clerk) purge(c *counter) error {
	for _, l := range c.letters {
		if l.places == inSource {
			l.places |= nowhere
		}
		l.forgetting = !l.forgotten
	}
	c.purging = true
	p, _ := queue.As[queue.Purger](c.source)
	if err := p.Purge(k.ctx); err != nil {
		return err
	}
	c.purging = false
	for _, l := range c.letters {
		if l.places == inSource|nowhere {
			l.places = nowhere
		}
		l.forgotten, l.forgetting = true, false
	}
	k.settled()
	return nil
}

func peek(ctx context.Context, q queue.Queue) ([]queue.Peeked, error) {
	i, _ := queue.As[queue.Inspector](q)
	var all []queue.Peeked
	for p, err := range i.Peek(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// An aftermath is what is found of a clerk's counter after a crash.
type aftermath struct {
	was      *counter // as it was at the crash
	is       *counter // opened again, without letters
	survived map[*letter]place
	anew     *letter // sent again and accepted
	process  bool    // only the process died
}

// inspect compares a queue and its dead-letter queue with what may be there.
func (a *aftermath) inspect(ctx context.Context) error {
	a.survived = map[*letter]place{}
	for _, where := range []struct {
		q     queue.Adopter
		place place
	}{{a.is.source, inSource}, {a.is.dead, inDead}} {
		all, err := peek(ctx, where.q)
		if err != nil {
			return err
		}
		for i := range all {
			l := a.was.find(all[i].Body)
			switch {
			case l == nil:
				return fmt.Errorf("%.60q is there and was never sent", all[i].Body)
			case a.survived[l] != 0:
				return fmt.Errorf("%s is there twice", l.label)
			case l.places&where.place == 0:
				return fmt.Errorf("%s is in place %d, may be in %d", l.label, where.place, l.places)
			}
			a.survived[l] = where.place
			if err := a.inspectOne(l, &all[i], where.place); err != nil {
				return fmt.Errorf("%s: %w", l.label, err)
			}
		}
	}
	return a.inspectMissing()
}

func (a *aftermath) inspectOne(l *letter, p *queue.Peeked, at place) error {
	low, high := l.durable, l.receives
	if a.process {
		low = l.written
	}
	if a.was.receiving {
		high++
	}
	if p.ReceiveCount < low || p.ReceiveCount > high {
		return fmt.Errorf("its receive count is %d, must be %d to %d", p.ReceiveCount, low, high)
	}
	if l.id != (queue.MessageID{}) && p.ID != l.id {
		return fmt.Errorf("its ID is %v, was %v", p.ID, l.id)
	}
	reason := ""
	if at == inDead && l.deadByWord {
		reason = deadReason
	}
	if p.DeadLetterReason != reason || (p.DeadLetterSource != "") != (at == inDead) {
		return fmt.Errorf("in place %d its source is %q, its reason %q", at, p.DeadLetterSource, p.DeadLetterReason)
	}
	return nil
}

// inspectMissing makes sure that only what may be gone is, and that what was
// sent or purged together is there or gone together.
func (a *aftermath) inspectMissing() error {
	batches := map[int]place{}
	purged := place(0)
	for _, l := range a.was.letters {
		at := a.survived[l]
		if at == 0 {
			at = nowhere
		}
		if l.places&at == 0 {
			return fmt.Errorf("%s is lost", l.label)
		}
		if l.places == nowhere|inSource && l.id == (queue.MessageID{}) {
			if was, ok := batches[l.batch]; ok && was != at {
				return fmt.Errorf("of batch %d, half is there: %s is in place %d", l.batch, l.label, at)
			}
			batches[l.batch] = at
		}
		if a.was.purging && l.places == nowhere|inSource {
			if purged != 0 && purged != at {
				return fmt.Errorf("half of a purge happened: %s is in place %d", l.label, at)
			}
			purged = at
		}
	}
	return nil
}

// repeat sends everything again that must be recognised, or must not be.
func (a *aftermath) repeat(ctx context.Context) error {
	if a.was.kind != queue.FIFO {
		return nil
	}
	now := time.Now()
	for _, l := range a.was.letters {
		if !l.suppresses(now) || l.forgetting {
			continue
		}
		if a.survived[l] == 0 && l.id == (queue.MessageID{}) {
			continue // lost before it was accepted
		}
		sent, err := a.is.source.Send(ctx, l.message)
		switch {
		case err != nil:
			return err
		case sent.Duplicate == l.forgotten:
			return fmt.Errorf("%s was sent again: Duplicate is %v", l.label, sent.Duplicate)
		case sent.Duplicate && l.id != (queue.MessageID{}) && sent.ID != l.id:
			return fmt.Errorf("%s was sent again: its ID is %v, was %v", l.label, sent.ID, l.id)
		case !sent.Duplicate:
			a.anew = l
			return nil // what was purged is taken anew; once is enough
		}
	}
	return nil
}

// drain receives and deletes everything, and checks the order of each group.
func (a *aftermath) drain(ctx context.Context) error {
	seen := map[*letter]int{}
	latest := map[string]int{}
	for _, q := range []queue.Adopter{a.is.source, a.is.dead} {
		for {
			got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: queue.None, VisibilityTimeout: time.Minute})
			if err != nil {
				return err
			}
			if len(got) == 0 {
				break
			}
			var receipts []queue.Receipt
			for i := range got {
				l := a.was.find(got[i].Body)
				if l == nil {
					return fmt.Errorf("%.60q came and was never sent", got[i].Body)
				}
				seen[l]++
				receipts = append(receipts, got[i].Receipt)
				if q == a.is.dead || a.was.kind != queue.FIFO || l.forgotten {
					continue
				}
				order := slices.Index(a.was.letters, l)
				if last, ok := latest[l.message.GroupID]; ok && order < last {
					return fmt.Errorf("%s came after %s in %s", l.label, a.was.letters[last].label, l.message.GroupID)
				}
				latest[l.message.GroupID] = order
			}
			if err := q.DeleteBatch(ctx, receipts); err != nil {
				return err
			}
		}
	}
	for _, l := range a.was.letters {
		want := 0
		if a.survived[l] != 0 {
			want++
		}
		if l == a.anew {
			want++
		}
		if seen[l] != want {
			return fmt.Errorf("%s was delivered %d times, want %d; it was in place %d", l.label, seen[l], want, a.survived[l])
		}
	}
	return nil
}

// A queueCampaign lets a clerk work and crashes at each operation on the disk.
type queueCampaign struct {
	ctx    context.Context
	opener opener
	clerk  *clerk
	seed   uint64
	only   int
	points int
	total  tally
}

func (c *queueCampaign) run(seed uint64, steps int) (err error) {
	d := crashdisk.New()
	found := &finding{}
	defer func() {
		if err = found.or(err); err != nil {
			err = fmt.Errorf("seed %d, crash point %d:\n  %w", seed, c.points, err)
		}
		d.Kill()
	}()
	c.seed, c.points = seed, 0
	c.total.runs++
	st, err := c.opener.open(c.ctx, d)
	if err != nil {
		return err
	}
	k := &clerk{ctx: c.ctx, random: rand.New(rand.NewPCG(seed, 1)), store: st}
	if k.counters, err = openCounters(c.ctx, st); err != nil {
		return err
	}
	c.clerk = k
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if op.Kind.Changes() {
			found.add(d, c.point(d, op))
		}
		return crashdisk.Fault{}
	})
	for range steps {
		if err := k.work(); err != nil {
			return err
		}
	}
	return errors.Join(closeCounters(k.counters), st.Close())
}

func (c *queueCampaign) point(d *crashdisk.Disk, op crashdisk.Op) error {
	c.points++
	if c.only != 0 && c.points != c.only {
		return nil
	}
	c.total.points++
	random := rand.New(rand.NewPCG(c.seed, uint64(c.points)))
	for range 2 {
		choice := choose(random)
		if err := c.recover(d.Crash(choice), choice.Mode == crashdisk.Restart, random, 0); err != nil {
			return at(fmt.Sprintf("crash before %v (%v) in %s", op, choice, c.clerk.doing), err)
		}
		if !d.Unsynced() {
			break
		}
	}
	return nil
}

// recover opens the queues on what a crash left, and checks everything. Some
// times there is another crash while they recover, and at the end one more.
func (c *queueCampaign) recover(d *crashdisk.Disk, process bool, random *rand.Rand, depth int) error {
	c.total.crashes++
	found := &finding{}
	if depth == 0 && random.IntN(6) == 0 {
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if op.Kind.Changes() {
				c.total.recoveries++
				choice := choose(random)
				both := process && choice.Mode == crashdisk.Restart
				if err := c.recover(d.Crash(choice), both, random, 1); err != nil {
					found.add(d, at(fmt.Sprintf("then, while recovering, crash before %v (%v)", op, choice), err))
				}
			}
			return crashdisk.Fault{}
		})
	}
	st, counters, aftermaths, err := c.reopen(d, process)
	if err = found.or(err); err != nil {
		return err
	}
	d.Before(nil)
	if err := c.certain(d.Crash(crashdisk.Choice{Mode: crashdisk.Lost}), aftermaths); err != nil {
		return at("crash right after recovery", err)
	}
	for _, a := range aftermaths {
		if err := a.repeat(c.ctx); err != nil {
			return fmt.Errorf("%s: %w", a.was.name, err)
		}
		if err := a.drain(c.ctx); err != nil {
			return fmt.Errorf("%s: %w", a.was.name, err)
		}
	}
	if err := closeCounters(counters); err != nil {
		return err
	}
	c.total.matched++
	after := d.Crash(crashdisk.Choice{Mode: crashdisk.Torn, Seed: random.Uint64()})
	if err := st.Close(); err != nil {
		return err
	}
	return c.empty(after)
}

// reopen opens the queues and inspects them.
func (c *queueCampaign) reopen(d *crashdisk.Disk, process bool) (queue.Store, []*counter, []*aftermath, error) {
	st, err := c.opener.open(c.ctx, d)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("opening: %w", err)
	}
	counters, err := openCounters(c.ctx, st)
	if err != nil {
		return nil, nil, nil, err
	}
	var aftermaths []*aftermath
	for i, is := range counters {
		a := &aftermath{was: c.clerk.counters[i], is: is, process: process}
		if err := a.inspect(c.ctx); err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", is.name, err)
		}
		aftermaths = append(aftermaths, a)
	}
	return st, counters, aftermaths, nil
}

// certain makes sure that what was found after one crash is found after another:
// who has seen a message gone, or been told that it is a duplicate, relies on it.
func (c *queueCampaign) certain(d *crashdisk.Disk, found []*aftermath) error {
	st, counters, aftermaths, err := c.reopen(d, false)
	if err != nil {
		return err
	}
	for i, a := range aftermaths {
		for _, l := range a.was.letters {
			if a.survived[l] != found[i].survived[l] {
				return fmt.Errorf("%s was in place %d and is in place %d", l.label, found[i].survived[l], a.survived[l])
			}
		}
	}
	return errors.Join(closeCounters(counters), st.Close())
}

// empty makes sure that everything that was deleted is gone after one more
// crash.
func (c *queueCampaign) empty(d *crashdisk.Disk) error {
	st, err := c.opener.open(c.ctx, d)
	if err != nil {
		return at("all was deleted, crash", fmt.Errorf("opening: %w", err))
	}
	counters, err := openCounters(c.ctx, st)
	if err != nil {
		return err
	}
	for _, is := range counters {
		for _, q := range []queue.Adopter{is.source, is.dead} {
			all, err := peek(c.ctx, q)
			if err != nil {
				return err
			}
			if len(all) > 0 {
				return fmt.Errorf("%s: all was deleted, crash, and %.60q is there again", is.name, all[0].Body)
			}
		}
	}
	return errors.Join(closeCounters(counters), st.Close())
}

func runQueueCampaign(t *testing.T, o opener, seed uint64, only, steps int) (total tally, err error) {
	t.Helper()
	c := &queueCampaign{ctx: t.Context(), opener: o, only: only}
	synctest.Test(t, func(t *testing.T) {
		c.ctx = t.Context()
		err = c.run(seed, steps)
	})
	return c.total, err
}

// Nothing accepted is lost, what was deleted stays gone, a move leaves exactly
// one copy, a FIFO queue takes nothing twice and keeps its order, and receive
// counts go on, wherever the crash comes.
func TestCampaignQueues(t *testing.T) {
	t.Parallel()
	var total tally
	began := time.Now()
	runs, steps := 2, 60
	if *crashTime > 0 {
		steps = 120
	} else if testing.Short() {
		steps = 20
	}
	for i := 0; i < runs || *crashTime > 0 && time.Since(began) < *crashTime; i++ {
		seed := *crashSeed + uint64(i)
		if *crashPoint != 0 && i > 0 {
			break
		}
		one, err := runQueueCampaign(t, openEither(filestore.LoseNothing, seed), seed, *crashPoint, steps)
		total.add(one)
		if err != nil {
			t.Fatalf("%v\n\nrun it again with: go test ./queue/filestore -run '^%s$' -crash.seed %d", err, t.Name(), seed)
		}
	}
	t.Logf("%v, in %v", &total, time.Since(began).Round(time.Millisecond))
}

// The campaign over queues accepts a store that is right, and finds what is
// wrong with others.
func TestCampaignQueuesTellsRightFromWrong(t *testing.T) {
	t.Parallel()
	for f := flawless; f <= oneMoreLost; f++ {
		var err error
		var total tally
		for seed := uint64(1); seed <= 6 && err == nil && (f != flawless || seed <= 2); seed++ {
			var one tally
			one, err = runQueueCampaign(t, openSmall(f), seed, 0, 60)
			total.add(one)
		}
		if (err == nil) != (f == flawless) {
			t.Errorf("flaw %d: the campaign says %v", f, err)
		}
		t.Logf("flaw %d: %v: %v", f, &total, err)
	}
}
