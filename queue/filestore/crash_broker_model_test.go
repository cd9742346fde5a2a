package filestore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// A box is one existence of a queue of a broker: a queue that is deleted and
// created again is another one.
type box struct {
	name string
	kind queue.Kind
	arn  string
	face string // how the last confirmed change left it; empty: it isn't there

	changing bool   // a change is under way
	next     string // what the change makes of face

	errands []*errand // of which it is the source, the oldest first
}

// there reports whether the queue is there for certain, and may whether it may be.
func (x *box) there() bool { return x.face != "" && (!x.changing || x.next != "") }
func (x *box) may() bool   { return x.face != "" || x.changing && x.next != "" }

// A spot is where a slip can be: a queue, and which queue gave it up, if one did.
// The zero spot is nowhere.
type spot struct {
	box    *box
	source string
}

// A slip is a message that a keeper sent, or is sending. It is known by the label
// its body begins with, because move tasks give it other IDs.
type slip struct {
	label   string
	message queue.Message
	order   uint64 // of being sent
	spots   []spot // where it may be: several while a call is under way
	errand  *errand
	lingers bool // the errand may have come by while it was not visible

	// As it was seen last.
	rank     uint64 // its position
	receives int
	state    queue.State

	receipt   queue.Receipt
	heldUntil time.Time
}

func (l *slip) in(x *box) bool { return len(l.spots) == 1 && l.spots[0].box == x }

// An errand is a message move task.
type errand struct {
	source      *box
	destination *box // one existence of it: others of its name will do; nil: where messages came from
	options     broker.MoveOptions
	started     time.Time
	toMove      int
	handle      string

	starting, cancelling bool // calls that are under way
	cancelled            bool // such a call was answered
	mayFail              bool // some queue it needs was missing, or was about to be

	// As it was seen last.
	status  broker.MoveStatus
	failure string
	moved   int // as the task says
	actual  int // as the queues say
}

func (e *errand) running() bool { return e.starting || e.status == broker.Running }

// batch returns how many messages the task moves in one record at the most.
func (e *errand) batch() int {
	if e.options.PerSecond == 0 {
		return 256
	}
	return max(1, e.options.PerSecond/10)
}

// A keeper uses a broker, one call after the other, and knows where each message
// may be and how each queue may be set after a crash.
type keeper struct {
	ctx    context.Context
	random *rand.Rand
	opener opener
	disk   *crashdisk.Disk
	store  queue.Store
	broker *broker.Broker
	twin   *broker.Broker // in memory, with the same queues: it tells how a change leaves one

	mu       sync.Mutex      // guards what follows; held while a crash is looked into
	boxes    map[string]*box // the latest of each name
	slips    map[string]*slip
	sent     int
	together []*slip // by the call under way all of them are there, or none
	filling  *box    // a Receive is under way
	doing    string
	step     int
}

// The queues of a keeper, in the order in which it creates them.
var boxNames = []string{"orders-dead.fifo", "orders.fifo", "returns.fifo", "work-dead", "work", "spare"}

// deadOf returns the name of the dead-letter queue that a queue has if it has one.
func deadOf(name string) string {
	switch name {
	case "work", "spare":
		return "work-dead"
	case "orders.fifo", "returns.fifo":
		return "orders-dead.fifo"
	}
	return ""
}

func newBox(name string) *box {
	x := &box{name: name, kind: queue.Standard, arn: broker.Scope{}.ARN(name)}
	if strings.HasSuffix(name, ".fifo") {
		x.kind = queue.FIFO
	}
	return x
}

// startKeeper opens an empty broker and creates its queues.
func startKeeper(ctx context.Context, o opener, d *crashdisk.Disk, random *rand.Rand) (*keeper, error) {
	k := &keeper{
		ctx: ctx, random: random, opener: o, disk: d, twin: broker.New(broker.Options{}),
		boxes: map[string]*box{}, slips: map[string]*slip{}, doing: "Open",
	}
	for _, name := range boxNames {
		k.boxes[name] = newBox(name)
	}
	return k, k.open()
}

func (k *keeper) open() (err error) {
	k.store, k.broker = nil, nil
	st, err := k.opener.open(k.ctx, k.disk)
	if err != nil {
		return err
	}
	k.store = st
	k.broker, err = broker.OpenStore(k.ctx, k.store, broker.Options{})
	return err
}

// close ends what the keeper has started.
func (k *keeper) close() error {
	var errs []error
	if k.broker != nil {
		errs = append(errs, k.broker.Close())
	}
	if k.store != nil {
		errs = append(errs, k.store.Close())
	}
	return errors.Join(append(errs, k.twin.Close())...)
}

// work makes one call, and looks at everything when all is quiet.
func (k *keeper) work() error {
	x := k.boxes[boxNames[k.random.IntN(len(boxNames))]]
	if k.step <= len(boxNames) {
		x = k.boxes[boxNames[k.step-1]]
	}
	calls := [...]struct {
		name  string
		share int
		do    func(*box) error
	}{
		{"Send", 10, k.send}, {"Receive", 20, k.receive}, {"Delete", 3, k.remove}, {"DeadLetter", 3, k.deadLetter},
		{"StartMoveTask", 10, k.start}, {"CancelMoveTask", 2, k.cancel}, {"sleep", 14, k.sleep}, {"Purge", 1, k.purge},
		{"SetAttributes", 2, k.set}, {"Reconfigure", 1, k.reconfigure}, {"Tag", 1, k.tag}, {"Untag", 1, k.untag},
		{"AddPermission", 1, k.permit}, {"DeleteQueue", 2, k.deleteQueue}, {"reopen", 1, k.reopen},
	}
	sum := 0
	for _, c := range calls {
		sum += c.share
	}
	n, at := k.random.IntN(sum), 0
	for n >= calls[at].share {
		n -= calls[at].share
		at++
	}
	name, do := calls[at].name, calls[at].do
	if (name == "Send" || name == "Receive" || name == "Delete") && k.random.IntN(5) > 0 {
		for deadOf(x.name) == "" { // most messages become dead letters in the end
			x = k.boxes[boxNames[k.random.IntN(len(boxNames))]]
		}
	}
	if x.face == "" {
		name, do = "Create", k.create
	}
	k.mu.Lock()
	k.doing = fmt.Sprintf("step %d: %s of %s", k.step, name, x.name)
	k.mu.Unlock()
	if err := do(x); err != nil {
		return fmt.Errorf("%s: %w", k.doing, err)
	}
	if err := k.observe(); err != nil {
		return fmt.Errorf("after %s: %w", k.doing, err)
	}
	return nil
}

// model changes what the keeper knows.
func (k *keeper) model(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

// change makes the same change of a queue in the twin and in the broker.
func (k *keeper) change(x *box, edit func(*broker.Broker) error) error {
	refused := edit(k.twin)
	next, err := faceOf(k.ctx, k.twin, x.name)
	if err != nil {
		return err
	}
	k.model(func() { x.changing, x.next = true, next })
	if err := edit(k.broker); (err == nil) != (refused == nil) {
		return fmt.Errorf("the broker says %w, one in memory %w", err, refused)
	}
	k.model(func() { x.face, x.changing = next, false })
	return nil
}

// faceOf tells how a queue is set; it is empty if there is none.
func faceOf(ctx context.Context, b *broker.Broker, name string) (string, error) {
	q, err := b.GetQueue(name)
	if errors.Is(err, broker.ErrQueueNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	attributes, err := q.Attributes(ctx, "All")
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(attributes, func(name, _ string) bool { return strings.HasPrefix(name, "ApproximateNumber") })
	tags, err := q.Tags(ctx)
	if err != nil {
		return "", err
	}
	cfg := q.Config()
	cfg.DeadLetter, cfg.Trace = queue.DeadLetter{}, nil
	face, err := json.Marshal(struct {
		Attributes, Tags map[string]string
		Config           string
	}{attributes, tags, fmt.Sprintf("%+v", cfg)})
	return string(face), err
}

// in returns the messages that are in a queue, in the order of sending.
func (k *keeper) in(x *box) (all []*slip) {
	for _, l := range k.slips {
		if l.in(x) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *slip) int { return int(a.order) - int(b.order) })
	return all
}

// some draws up to so many of them.
func (k *keeper) some(all []*slip, most int) []*slip {
	k.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), 1+k.random.IntN(most))]
}

// attributes draws attributes for a queue.
func (k *keeper) attributes(x *box) map[string]string {
	a := map[string]string{}
	for range k.random.IntN(4) {
		switch k.random.IntN(6) {
		case 0:
			a["VisibilityTimeout"] = fmt.Sprint(k.random.IntN(60))
		case 1:
			a["DelaySeconds"] = fmt.Sprint(max(0, k.random.IntN(20)-10))
		case 2:
			a["MaximumMessageSize"] = fmt.Sprint(4096 + k.random.IntN(10_000))
		case 3:
			a["MessageRetentionPeriod"] = fmt.Sprint(86_400 + k.random.IntN(86_400))
		case 4:
			a["KmsMasterKeyId"] = []string{"", "alias/key"}[k.random.IntN(2)]
		case 5:
			a["ReceiveMessageWaitTimeSeconds"] = fmt.Sprint(k.random.IntN(20))
		}
	}
	if dead := deadOf(x.name); dead != "" && k.random.IntN(6) > 0 {
		most := 1 + k.random.IntN(5)/4
		a["RedrivePolicy"] = fmt.Sprintf(`{"maxReceiveCount":%d,"deadLetterTargetArn":%q}`, most, broker.Scope{}.ARN(dead))
	}
	return a
}

func (k *keeper) create(old *box) error {
	if dead := k.boxes[deadOf(old.name)]; dead != nil && dead.face == "" {
		old = dead // first
	}
	x := newBox(old.name)
	k.model(func() { k.boxes[x.name] = x })
	n, a := k.random.IntN(4), k.attributes(x)
	if x.kind == queue.FIFO {
		a["FifoQueue"] = "true"
	}
	return k.change(x, func(b *broker.Broker) error {
		var err error
		switch n {
		case 0:
			_, err = b.CreateTagged(k.ctx, x.name, a, map[string]string{"made": k.doing})
		case 1:
			cfg := queue.Config{FencedReceipts: true, VisibilityTimeout: 1500 * time.Millisecond}
			if dead, missing := b.GetQueue(deadOf(x.name)); missing == nil {
				target, _ := queue.As[queue.Adopter](dead.Unwrap())
				cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: 1}
			}
			_, err = b.Create(k.ctx, x.name, cfg)
		default:
			_, err = b.CreateQueue(k.ctx, x.name, a)
		}
		return err
	})
}

// of makes an edit of one queue of any broker.
func of(x *box, edit func(*broker.Queue) error) func(*broker.Broker) error {
	return func(b *broker.Broker) error {
		q, err := b.GetQueue(x.name)
		if err != nil {
			return err
		}
		return edit(q)
	}
}

func (k *keeper) set(x *box) error {
	a := k.attributes(x)
	if len(a) == 0 {
		a["RedrivePolicy"] = ""
	}
	return k.change(x, of(x, func(q *broker.Queue) error { return q.SetAttributes(k.ctx, a) }))
}

func (k *keeper) reconfigure(x *box) error {
	timeout := time.Duration(k.random.IntN(20_000)) * time.Millisecond
	return k.change(x, of(x, func(q *broker.Queue) error {
		cfg := q.Config()
		cfg.VisibilityTimeout = timeout + time.Millisecond
		return q.Reconfigure(k.ctx, cfg)
	}))
}

func (k *keeper) tag(x *box) error {
	tags := map[string]string{fmt.Sprint("tag-", k.random.IntN(3)): k.doing, fmt.Sprint("tag-", k.random.IntN(9)): strings.Repeat("t", k.random.IntN(200))}
	return k.change(x, of(x, func(q *broker.Queue) error { return q.Tag(k.ctx, tags) }))
}

func (k *keeper) untag(x *box) error {
	gone := fmt.Sprint("tag-", k.random.IntN(3))
	return k.change(x, of(x, func(q *broker.Queue) error { return q.Untag(k.ctx, gone) }))
}

func (k *keeper) permit(x *box) error {
	label := fmt.Sprint("label-", k.random.IntN(5))
	return k.change(x, of(x, func(q *broker.Queue) error {
		if err := q.AddPermission(k.ctx, label, []string{"123456789012"}, []string{"SendMessage", "ReceiveMessage"}); err == nil {
			return nil
		}
		return q.RemovePermission(k.ctx, label)
	}))
}

func (k *keeper) deleteQueue(x *box) error {
	if err := k.change(x, func(b *broker.Broker) error { return b.DeleteQueue(k.ctx, x.name) }); err != nil {
		return err
	}
	k.model(func() {
		for _, l := range k.slips {
			if l.in(x) {
				l.spots, l.errand = []spot{{}}, nil
			}
		}
	})
	return nil
}

// queue returns a queue of the broker under test that is there.
func (k *keeper) queue(x *box) *broker.Queue {
	q, err := k.broker.GetQueue(x.name)
	if err != nil {
		panic(err) // observe has seen it
	}
	return q
}

func (k *keeper) send(x *box) error {
	var batch []*slip
	var messages []queue.Message
	for range 1 + k.random.IntN(10) {
		k.sent++
		l := &slip{label: fmt.Sprintf("slip-%d.", k.sent), order: uint64(k.sent), spots: []spot{{}, {box: x}}}
		l.message.Body = l.label + strings.Repeat("x", k.random.IntN(1000))
		if x.kind == queue.FIFO {
			l.message.GroupID = fmt.Sprintf("group-%d", k.random.IntN(3))
			l.message.DeduplicationID = "once-" + l.label
		}
		batch, messages = append(batch, l), append(messages, l.message)
	}
	k.model(func() {
		for _, l := range batch {
			k.slips[l.label] = l
		}
		k.together = batch
	})
	if _, err := k.queue(x).SendBatch(k.ctx, messages); err != nil {
		return err
	}
	k.model(func() {
		for _, l := range batch {
			l.spots = l.spots[1:]
		}
	})
	return nil
}

// dead returns the dead-letter queue that a queue has now, nil if it has none.
func (k *keeper) dead(x *box) (dead *box, maxReceives int) {
	q, err := k.twin.GetQueue(x.name)
	if err != nil {
		return nil, 0
	}
	letters := q.Config().DeadLetter
	if letters.Target == nil {
		return nil, 0
	}
	return k.boxes[deadOf(x.name)], letters.MaxReceives
}

func (k *keeper) receive(x *box) error {
	o := queue.ReceiveOptions{Max: 1 + k.random.IntN(10), Wait: queue.None, VisibilityTimeout: queue.None}
	if k.random.IntN(4) == 0 {
		o.VisibilityTimeout = time.Duration(1+k.random.IntN(30)) * time.Second
	}
	dead, most := k.dead(x)
	k.model(func() {
		k.filling = x
		for _, l := range k.in(x) {
			if dead != nil && l.receives >= most && l.state == queue.Visible {
				l.spots = append(l.spots, spot{dead, x.arn})
			}
		}
	})
	got, err := k.queue(x).Receive(k.ctx, o)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.filling = nil
	for i := range got {
		l := k.find(got[i].Body)
		if l == nil || l.spots[0].box != x || got[i].Message.GroupID != l.message.GroupID {
			return fmt.Errorf("it delivered %.60q, which is not there", got[i].Body)
		}
		if got[i].ReceiveCount != l.receives+1 {
			return fmt.Errorf("it delivered %q for time %d, want %d", l.label, got[i].ReceiveCount, l.receives+1)
		}
		l.receives++
		l.receipt, l.heldUntil = got[i].Receipt, got[i].VisibleAt
	}
	return nil
}

func (k *keeper) find(body string) *slip {
	label, _, _ := strings.Cut(body, ".")
	l := k.slips[label+"."]
	if l == nil || l.message.Body != body {
		return nil
	}
	return l
}

// held returns messages that the keeper has a good receipt of.
func (k *keeper) held(x *box) []*slip {
	return slices.DeleteFunc(k.in(x), func(l *slip) bool {
		return l.receipt == (queue.Receipt{}) || time.Until(l.heldUntil) <= time.Millisecond // times are rounded
	})
}

func (k *keeper) remove(x *box) error {
	held := k.some(k.held(x), 6)
	if len(held) == 0 {
		return nil
	}
	var receipts []queue.Receipt
	k.model(func() {
		for _, l := range held {
			l.spots = append(l.spots, spot{})
			receipts = append(receipts, l.receipt)
		}
		k.together = held
	})
	if err := k.queue(x).DeleteBatch(k.ctx, receipts); err != nil {
		return err
	}
	k.lost(held)
	return nil
}

// lost notes that messages are gone.
func (k *keeper) lost(gone []*slip) {
	k.model(func() {
		for _, l := range gone {
			l.spots, l.errand = []spot{{}}, nil
		}
	})
}

func (k *keeper) deadLetter(x *box) error {
	held := k.some(k.held(x), 1)
	dead, _ := k.dead(x)
	if len(held) == 0 || dead == nil {
		return nil
	}
	l, to := held[0], spot{dead, x.arn}
	k.model(func() { l.spots = append(l.spots, to) })
	letters, _ := queue.As[queue.DeadLetterer](k.queue(x))
	if err := letters.DeadLetter(k.ctx, l.receipt, deadReason); err != nil {
		return err
	}
	k.model(func() { l.spots, l.rank, l.receipt = l.spots[1:], 0, queue.Receipt{} })
	return nil
}

func (k *keeper) purge(x *box) error {
	all := k.in(x)
	k.model(func() {
		for _, l := range all {
			l.spots = append(l.spots, spot{})
		}
		k.together = all
	})
	if err := k.queue(x).Purge(k.ctx); err != nil {
		return err
	}
	k.lost(all)
	return nil
}

// start starts a move task, if there may be one now.
func (k *keeper) start(x *box) error {
	if deadOf(x.name) != "" {
		x = k.boxes[deadOf(x.name)] // which more often has something to move
	}
	isDead := false
	for _, name := range boxNames {
		q, err := k.twin.GetQueue(name)
		if err == nil && deadOf(name) == x.name {
			a, _ := q.Attributes(k.ctx, "RedrivePolicy")
			isDead = isDead || a["RedrivePolicy"] != ""
		}
	}
	if n := len(x.errands); !isDead || x.face == "" || n > 0 && x.errands[n-1].running() {
		return nil
	}
	if len(k.in(x)) < 5 && k.random.IntN(8) > 0 {
		return nil // soon there is more to be moved
	}
	time.Sleep(time.Millisecond) // no two tasks start at once
	e := &errand{source: x, starting: true, options: broker.MoveOptions{Source: x.arn, PerSecond: []int{0, 5, 20, 50}[k.random.IntN(4)]}}
	if to := k.boxes[boxNames[k.random.IntN(len(boxNames))]]; to != x && to.kind == x.kind && to.face != "" {
		e.destination, e.options.Destination = to, to.arn
	}
	e.started = time.Now()
	k.model(func() {
		x.errands = append(x.errands, e)
		for _, l := range k.in(x) {
			l.errand, l.lingers = e, l.state != queue.Visible
			if !l.lingers {
				e.toMove++
			}
		}
	})
	handle, err := k.broker.StartMoveTask(k.ctx, e.options)
	if err != nil {
		return err
	}
	k.model(func() { e.handle, e.starting, e.status = handle, false, broker.Running })
	return nil
}

func (k *keeper) cancel(*box) error {
	var running []*errand
	for _, name := range boxNames {
		for _, e := range k.boxes[name].errands {
			if e.running() && k.boxes[name].face != "" {
				running = append(running, e)
			}
		}
	}
	if len(running) == 0 {
		return nil
	}
	e := running[k.random.IntN(len(running))]
	k.model(func() { e.cancelling = true })
	moved, err := k.broker.CancelMoveTask(k.ctx, e.handle)
	if err != nil {
		return err
	}
	if moved != e.moved {
		return fmt.Errorf("it has moved %d, it says %d", e.moved, moved)
	}
	k.model(func() { e.cancelling, e.cancelled = false, true })
	return nil
}

// sleep lets time pass: tasks with a rate go on.
func (k *keeper) sleep(*box) error {
	d := time.Second
	if k.random.IntN(8) == 0 {
		d = time.Minute
	}
	time.Sleep(time.Duration(k.random.Int64N(int64(d))))
	return nil
}

func (k *keeper) reopen(*box) error {
	if err := errors.Join(k.broker.Close(), k.store.Close()); err != nil {
		return err
	}
	k.model(func() {
		for _, l := range k.slips {
			l.receipt = queue.Receipt{}
		}
	})
	return k.open()
}

// observe waits until nothing moves, and sees whether everything is where it must
// be. What it finds then is certain.
func (k *keeper) observe() error {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	v, err := k.look(k.ctx, k.broker)
	if err != nil {
		return err
	}
	if err := k.judge(v, circumstances{}); err != nil {
		return err
	}
	k.believe(v)
	return nil
}
