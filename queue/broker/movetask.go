package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// MoveOptions say what a message move task does.
type MoveOptions struct {
	Source      string // ARN of the queue to empty: a dead-letter queue
	Destination string // ARN; empty: each message goes to the queue that it came from
	PerSecond   int    // how many messages move in a second, 1 to 500; zero: as many as can
}

// A MoveTask tells of a message move task.
type MoveTask struct {
	Handle      string // for CancelMoveTask, while the task is Running; else empty
	Status      MoveStatus
	Source      string
	Destination string    // as given at the start
	PerSecond   int       // as given at the start
	Moved       int       // messages that the task has moved
	ToMove      int       // messages that were visible in the source when it started
	StartedAt   time.Time // in whole milliseconds
	Failure     string    // why, if Status is Failed
}

// MoveStatus is how far a move task has come.
type MoveStatus uint8

const (
	Running    MoveStatus = iota + 1 // it moves messages, or waits to
	Completed                        // it has come to the last message it was to move
	Cancelling                       // it is to stop, and has not stopped yet
	Cancelled                        // it was stopped; what it moved stays moved
	Failed                           // it could not go on; MoveTask.Failure says why
)

var statusNames = [...]string{"", "RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"}

// String returns the status as SQS writes it.
func (s MoveStatus) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "UNKNOWN"
}

// Limits of move tasks.
const (
	maxPerSecond   = 500
	maxListedTasks = 10  // also how many of a queue are remembered
	maxActiveTasks = 100 // of an account
	maxTaskTime    = 36 * time.Hour
	moveBatch      = 256 // messages moved in one record, without a rate
)

// nonExistentQueue is the Failure of a task whose destination is gone.
const nonExistentQueue = "AWS.SimpleQueueService.NonExistentQueue"

// A task is a message move task. The fields below source are guarded by hub.mu.
type task struct {
	id      string
	number  int // tasks of a broker are numbered in the order of their start
	options MoveOptions
	toMove  int
	started int64 // ms
	to      uint64
	source  *Queue

	from    uint64
	moved   int
	status  MoveStatus
	over    bool // its end is being recorded; then status tells it
	failure string
	// stranded says that messages were left because the queue they came from is
	// gone.
	stranded bool
	stop     context.CancelFunc // ends its goroutine; nil: it has none
	done     chan struct{}      // closed when its goroutine ends
}

// StartMoveTask starts to move the messages of a dead-letter queue elsewhere: back
// to where they came from, or to o.Destination. They arrive there as new messages,
// with IDs of their own and a receive count of zero.
//
// The task moves those messages that were in the source when it started and are
// visible when it comes to them, the oldest first, and leaves the others: what is
// in flight then, and, if there is no destination, what was sent straight to the
// source. In a durable broker a move is one atomic record, and a task that is
// running goes on when the broker is opened again; after a crash its number of
// messages moved may lack those of the last instant, though none moves twice.
//
// A task fails, and is not tried again by itself, when its destination is deleted,
// closed, or full; messages whose own queue is gone stay while the others move, and
// it fails in the end.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] or
// [ErrResourceNotFound], or [ErrOverLimit] for more than 100 tasks at a time;
// [queue.ErrClosed], the store's, the context's.
func (b *Broker) StartMoveTask(ctx context.Context, o MoveOptions) (handle string, err error) {
	if err := b.begin(ctx); err != nil {
		return "", fmt.Errorf("start move task: %w", err)
	}
	defer b.end()
	source, err := b.checkMove(o)
	if err != nil {
		return "", err
	}
	stats, err := source.local().Stats(ctx)
	if err != nil {
		return "", err
	}
	t := &task{
		id: newTaskID(), number: b.nextNumber(), options: o, source: source, started: time.Now().UnixMilli(), status: Running,
		to: source.local().NextPosition(), toMove: stats.Visible,
	}
	changes := []queue.Meta{t.entry()}
	old := b.tasksOf(source)
	old = old[:max(0, len(old)-maxListedTasks+1)] // which are over, and now forgotten
	for _, t := range old {
		changes = append(changes, queue.Meta{Name: t.metaName()})
	}
	if err := b.save(changes...); err != nil {
		return "", fmt.Errorf("start move task: %w", err)
	}
	b.mu.Lock()
	for _, t := range old {
		delete(b.tasks, t.id)
	}
	b.mu.Unlock()
	b.run(t)
	return t.handle(), nil
}

// checkMove says whether a task may start, and of which queue.
func (b *Broker) checkMove(o MoveOptions) (source *Queue, err error) {
	if source, err = b.resource("SourceArn", o.Source); err != nil {
		return nil, err
	}
	if o.Destination != "" {
		destination, err := b.resource("DestinationArn", o.Destination)
		switch {
		case err != nil:
			return nil, err
		case destination == source:
			return nil, invalid("DestinationArn", o.Destination, "Source queue arn and destination queue arn cannot be the same.")
		case destination.kind != source.kind:
			return nil, invalid("DestinationArn", o.Destination, "The source queue and destination queue must be of the same queue type.")
		}
	}
	if o.PerSecond < 0 || o.PerSecond > maxPerSecond {
		return nil, &queue.LimitError{
			Parameter: "MaxNumberOfMessagesPerSecond", Got: o.PerSecond, Min: 1, Max: maxPerSecond,
			Reason: "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.",
			Err:    queue.ErrInvalidParameter,
		}
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.sources[source.arn]) == 0 {
		return nil, invalid("SourceArn", o.Source, "Source queue must be configured as a Dead Letter Queue.")
	}
	active := 0
	for _, t := range b.tasks {
		if t.status != Running && t.status != Cancelling {
			continue
		}
		if t.source == source {
			return nil, invalid("SourceArn", o.Source, "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
		if t.source.scope.Account == source.scope.Account {
			active++
		}
	}
	if active >= maxActiveTasks {
		return nil, overLimit("SourceArn", active+1, maxActiveTasks, "An account has at most 100 active message move tasks.")
	}
	return source, nil
}

// resource returns the queue that a parameter names by its ARN. It must be in the
// account and region that b is seen from.
func (b *Broker) resource(parameter, arn string) (*Queue, error) {
	s, name, ok := parseARN(arn)
	if !ok {
		return nil, invalid(parameter, arn, "You must use this format to specify the "+parameter+": arn:<partition>:<service>:<region>:<account-id>:<resource-id>")
	}
	if q := b.find(arn); q != nil && s.key(name) == b.scope.key(name) {
		return q, nil
	}
	return nil, &queue.LimitError{
		Parameter: parameter, Text: arn, Err: ErrResourceNotFound,
		Reason: "The resource that you specified for the " + parameter + " parameter doesn't exist.",
	}
}

// CancelMoveTask stops a running task and returns how many messages it has moved so
// far. These stay where they are. The task may move a few more before its Status
// becomes Cancelled.
//
// Errors: a [*queue.LimitError] that is [ErrResourceNotFound], or
// [queue.ErrInvalidParameter] for what is no handle, or of a task that isn't
// running; [queue.ErrClosed], the store's, the context's.
func (b *Broker) CancelMoveTask(ctx context.Context, handle string) (moved int, err error) {
	id, arn, ok := parseHandle(handle)
	if !ok {
		return 0, invalid("TaskHandle", handle, "Value for parameter TaskHandle is invalid.")
	}
	if err := b.begin(ctx); err != nil {
		return 0, fmt.Errorf("cancel move task: %w", err)
	}
	defer b.end()
	source, err := b.resource("SourceArn", arn)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	t := b.tasks[id]
	if t == nil || t.source != source {
		b.mu.Unlock()
		return 0, &queue.LimitError{Parameter: "TaskHandle", Text: handle, Reason: "Task does not exist.", Err: ErrResourceNotFound}
	}
	if t.status != Running || t.over {
		b.mu.Unlock()
		return 0, invalid("TaskHandle", handle, "Only a running task can be cancelled.")
	}
	t.status = Cancelling
	moved = t.moved
	commit, err := b.noteTask(t)
	b.mu.Unlock()
	t.stop()
	if err == nil && b.store != nil {
		err = b.store.Wait(commit, queue.Durable)
	}
	if err != nil {
		return moved, fmt.Errorf("cancel move task: %w", err)
	}
	return moved, nil
}

// MoveTasks returns the latest tasks that move messages out of the queue of that
// ARN, the newest first: up to limit, which is 1 to 10, or zero for one. Older ones
// are forgotten.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] or
// [ErrResourceNotFound]; [queue.ErrClosed], the context's.
func (b *Broker) MoveTasks(ctx context.Context, source string, limit int) ([]MoveTask, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("move tasks: %w", err)
	}
	if limit < 0 || limit > maxListedTasks {
		return nil, &queue.LimitError{
			Parameter: "MaxResults", Got: limit, Min: 1, Max: maxListedTasks,
			Reason: "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 10.",
			Err:    queue.ErrInvalidParameter,
		}
	}
	b.mu.RLock()
	closed := b.closed
	b.mu.RUnlock()
	if closed {
		return nil, queue.ErrClosed
	}
	q, err := b.resource("SourceArn", source)
	if err != nil {
		return nil, err
	}
	tasks := b.tasksOf(q)
	slices.Reverse(tasks)
	b.mu.RLock()
	defer b.mu.RUnlock()
	var told []MoveTask
	for _, t := range tasks[:min(len(tasks), cmp.Or(limit, 1))] {
		told = append(told, t.tell())
	}
	return told, nil
}

// tasksOf returns the tasks of which q is the source, the oldest first.
func (h *hub) tasksOf(q *Queue) []*task {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var tasks []*task
	for _, t := range h.tasks {
		if t.source == q {
			tasks = append(tasks, t)
		}
	}
	slices.SortFunc(tasks, func(a, b *task) int { return cmp.Compare(a.number, b.number) })
	return tasks
}

// nextNumber returns the number of a new task.
func (h *hub) nextNumber() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	last := 0
	for _, t := range h.tasks {
		last = max(last, t.number)
	}
	return last + 1
}

// tell returns what the caller of MoveTasks is told. The caller must hold h.mu.
func (t *task) tell() MoveTask {
	told := MoveTask{
		Status: t.status, Source: t.options.Source, Destination: t.options.Destination, PerSecond: t.options.PerSecond,
		Moved: t.moved, ToMove: t.toMove, StartedAt: time.UnixMilli(t.started), Failure: t.failure,
	}
	if t.status == Running {
		told.Handle = t.handle()
	}
	return told
}

func (t *task) metaName() string {
	return taskPrefix + t.source.scope.key(t.source.name).path() + "/" + t.id
}

// entry writes a task down. The caller must hold h.mu, or be the only one who has t.
func (t *task) entry() queue.Meta {
	return encode(t.metaName(), &taskEntry{
		Version: entryVersion, ID: t.id, Number: t.number, Source: t.options.Source, Destination: t.options.Destination, PerSecond: t.options.PerSecond,
		Status: t.status.String(), Started: t.started, ToMove: t.toMove, Moved: t.moved, From: t.from, To: t.to, Stranded: t.stranded, Failure: t.failure,
	})
}

// newTaskID makes an ID for a task.
func newTaskID() string {
	var id queue.MessageID // for the text of a UUID
	rand.Read(id[:])       // never fails
	return id.String()
}

// A handle is what SQS makes of it: the task's ID and its source, in base64.
type handleText struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

func (t *task) handle() string {
	text, err := json.Marshal(handleText{t.id, t.options.Source})
	if err != nil {
		panic("broker: internal error: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(text)
}

func parseHandle(handle string) (id, arn string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(handle)
	var h handleText
	if err != nil || json.Unmarshal(text, &h) != nil || h.TaskID == "" || h.SourceARN == "" {
		return "", "", false
	}
	return h.TaskID, h.SourceARN, true
}

// taskOf reads the entry of a task.
func (h *hub) taskOf(name string, value []byte) (*task, error) {
	var e taskEntry
	if err := decode(name, value, &e); err != nil {
		return nil, err
	}
	t := &task{
		id: e.ID, number: e.Number, options: MoveOptions{e.Source, e.Destination, e.PerSecond}, toMove: e.ToMove, started: e.Started,
		to: e.To, source: h.find(e.Source), from: e.From, moved: e.Moved, failure: e.Failure, stranded: e.Stranded,
		status: MoveStatus(max(0, slices.Index(statusNames[:], e.Status))),
	}
	if t.source == nil || t.metaName() != name || t.status == 0 {
		return nil, corrupt(name, errors.New("it is of no task of a queue"))
	}
	return t, nil
}

// resume takes a task over, and lets it go on if it was running.
func (h *hub) resume(t *task) {
	switch t.status {
	case Running:
		h.run(t)
		return
	case Cancelling:
		t.status = Cancelled
	}
	h.mu.Lock()
	h.tasks[t.id] = t
	h.mu.Unlock()
}
