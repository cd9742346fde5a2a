package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// The catalogue is what the store keeps for a broker beside messages, as named
// values in JSON: an entry for each queue,
//
//	queue/ACCOUNT/REGION/NAME
//
// and one for each move task,
//
//	task/ACCOUNT/REGION/NAME OF THE SOURCE/ID
//
// An entry carries the version of its form. One of a later version is refused: it
// may mean something that this version doesn't know.
const (
	queuePrefix = "queue/"
	taskPrefix  = "task/"

	entryVersion = 1
)

func (k key) path() string { return k.account + "/" + k.region + "/" + k.name }

// queueEntry is a queue as the catalogue has it. Durations are in nanoseconds, in
// the form of queue.Config; times are in ms.
type queueEntry struct {
	Version   int
	Partition string
	Account   string
	Region    string
	Name      string
	Kind      string
	Created   int64
	Modified  int64

	VisibilityTimeout    time.Duration            `json:",omitempty"`
	Delay                time.Duration            `json:",omitempty"`
	Retention            time.Duration            `json:",omitempty"`
	ReceiveWait          time.Duration            `json:",omitempty"`
	MaxMessageSize       int                      `json:",omitempty"`
	ContentDeduplication bool                     `json:",omitempty"`
	DeduplicationScope   queue.DeduplicationScope `json:",omitempty"`
	ThroughputLimit      queue.ThroughputLimit    `json:",omitempty"`
	EnforceThroughput    bool                     `json:",omitempty"`
	FencedReceipts       bool                     `json:",omitempty"`
	Limits               queue.Limits             `json:",omitempty"`

	Attributes map[string]string `json:",omitempty"` // that are kept as text
	Tags       map[string]string `json:",omitempty"`
}

func (q *Queue) metaName() string { return queuePrefix + q.scope.key(q.name).path() }

// entry writes down how a queue is in that state.
func (q *Queue) entry(s state) queue.Meta {
	c := &s.cfg
	return encode(q.metaName(), &queueEntry{
		Version: entryVersion, Partition: q.scope.Partition, Account: q.scope.Account, Region: q.scope.Region,
		Name: q.name, Kind: q.kind.String(), Created: s.created, Modified: s.modified,
		VisibilityTimeout: c.VisibilityTimeout, Delay: c.Delay, Retention: c.Retention, ReceiveWait: c.ReceiveWait,
		MaxMessageSize: c.MaxMessageSize, ContentDeduplication: c.ContentDeduplication,
		DeduplicationScope: c.DeduplicationScope, ThroughputLimit: c.ThroughputLimit, EnforceThroughput: c.EnforceThroughput,
		FencedReceipts: c.FencedReceipts, Limits: c.Limits,
		Attributes: s.texts, Tags: s.tags,
	})
}

// queueOf reads the entry of a queue. The queue is not open yet.
func (h *hub) queueOf(name string, value []byte) (*Queue, error) {
	var e queueEntry
	if err := decode(name, value, &e); err != nil {
		return nil, err
	}
	q := &Queue{hub: h, scope: Scope{e.Partition, e.Account, e.Region}, name: e.Name}
	q.arn = q.scope.ARN(q.name)
	q.kind = kindOf(q.name)
	if q.metaName() != name || q.kind.String() != e.Kind {
		return nil, corrupt(name, errors.New("it is of another queue"))
	}
	q.state = state{
		description: description{kind: q.kind, cfg: queue.Config{
			Name: q.name, ARN: q.arn,
			VisibilityTimeout: e.VisibilityTimeout, Delay: e.Delay, Retention: e.Retention, ReceiveWait: e.ReceiveWait,
			MaxMessageSize: e.MaxMessageSize, ContentDeduplication: e.ContentDeduplication,
			DeduplicationScope: e.DeduplicationScope, ThroughputLimit: e.ThroughputLimit, EnforceThroughput: e.EnforceThroughput,
			FencedReceipts: e.FencedReceipts, Limits: e.Limits,
		}},
		tags: e.Tags, created: e.Created, modified: e.Modified,
	}
	for attribute, text := range e.Attributes {
		q.state.setText(attribute, text)
	}
	if text := e.Attributes[redrivePolicyName]; text != "" && q.state.redrive.target == "" {
		return nil, corrupt(name, errors.New("its RedrivePolicy can't be read"))
	}
	return q, nil
}

// taskEntry is a move task as the catalogue has it.
type taskEntry struct {
	Version     int
	ID          string
	Number      int
	Source      string // ARN
	Destination string `json:",omitempty"` // ARN
	PerSecond   int    `json:",omitempty"`
	Status      string
	Started     int64 // ms
	ToMove      int
	Moved       int
	From, To    uint64 // the positions that are still to be looked at
	Stranded    bool   `json:",omitempty"` // some stay, because the queue they came from is gone
	Failure     string `json:",omitempty"`
}

func encode(name string, entry any) queue.Meta {
	value, err := json.Marshal(entry)
	if err != nil {
		panic("broker: internal error: " + err.Error()) // nothing in it can fail
	}
	return queue.Meta{Name: name, Value: value}
}

func decode(name string, value []byte, entry any) error {
	var known struct{ Version int }
	if err := json.Unmarshal(value, &known); err != nil {
		return corrupt(name, err)
	}
	if v := known.Version; v < 1 || v > entryVersion {
		return fmt.Errorf("broker: catalogue entry %q has version %d, this program knows up to %d: %w", name, v, entryVersion, queue.ErrUnsupported)
	}
	if err := json.Unmarshal(value, entry); err != nil {
		return corrupt(name, err)
	}
	return nil
}

func corrupt(name string, err error) error {
	return fmt.Errorf("broker: catalogue entry %q: %w: %w", name, queue.ErrStoreCorrupt, err)
}

// save makes a change of the catalogue durable. In memory there is none.
func (h *hub) save(changes ...queue.Meta) error {
	if h.store == nil {
		return nil
	}
	commit, err := h.note(changes...)
	if err != nil {
		return err
	}
	return h.store.Wait(commit, queue.Durable)
}

// note is save without waiting. There is a store.
func (h *hub) note(changes ...queue.Meta) (queue.Commit, error) {
	return h.store.Append(&queue.Batch{Meta: changes}) // without a time: queues have clocks, this has none
}

// isQueueEntry and isTaskEntry tell whose entry a name is.
func isQueueEntry(name string) bool { return strings.HasPrefix(name, queuePrefix) }
func isTaskEntry(name string) bool  { return strings.HasPrefix(name, taskPrefix) }
