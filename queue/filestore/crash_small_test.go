package filestore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// A smallStore is a queue.Store that is easily seen to be right: each Wait
// writes everything into a new file, syncs it, and puts it in the place of the
// old one. It is there to test the campaign, which must accept it as it is and
// find each of its mistakes.
type smallStore struct {
	disk   disk.Disk
	flaw   flaw
	unlock func() error

	mu       sync.Mutex // guards everything below
	state    *image
	attached map[uint64]bool
	last     queue.Commit
	saved    queue.Commit
	failed   error
}

// A flaw is a mistake that a smallStore makes.
type flaw int

const (
	flawless flaw = iota
	noFileSync
	noDirSync
	noDirSyncAtOpen
	noSyncForWritten // a write is enough for Written, and Durable believes it
	touchesForgotten
	clearForgetsNothing
	inPlace     // the file is written over
	oneMoreLost // the latest batch is not in the file
)

const (
	smallFile = "state"
	smallNew  = "state.new"
)

// smallQueue is what the file holds of a queue.
type smallQueue struct {
	Number, Next uint64
	Name         string
	Kind         queue.Kind
	Key          [16]byte
	Records      []smallRecord
	Dedup        []queue.Dedup
}

// smallRecord is what the file holds of a record: gob can't see attributes.
type smallRecord struct {
	Seq                                                     uint64
	ID                                                      queue.MessageID
	Body, Attributes, GroupID, DeduplicationID, TraceHeader string
	SentAt, DueAt, FirstReceivedAt                          int64
	Receives                                                uint32
	Source, Reason                                          string
}

func newSmallRecord(r queue.Record) smallRecord {
	return smallRecord{
		r.Seq, r.ID, r.Body, r.Attributes.Encoded(), r.GroupID, r.DeduplicationID, r.TraceHeader,
		r.SentAt, r.DueAt, r.FirstReceivedAt, r.Receives, r.DeadLetterSource, r.DeadLetterReason,
	}
}

func (r *smallRecord) record() (queue.Record, error) {
	attributes, err := queue.DecodeAttributes(r.Attributes)
	return queue.Record{
		Seq: r.Seq, ID: r.ID,
		Message: queue.Message{
			Body: r.Body, Attributes: attributes, GroupID: r.GroupID,
			DeduplicationID: r.DeduplicationID, TraceHeader: r.TraceHeader,
		},
		SentAt: r.SentAt, DueAt: r.DueAt, FirstReceivedAt: r.FirstReceivedAt, Receives: r.Receives,
		DeadLetterSource: r.Source, DeadLetterReason: r.Reason,
	}, err
}

type smallState struct {
	Queues []smallQueue
	Meta   map[string][]byte
	Now    int64
	Above  uint64
}

func openSmall(f flaw) opener {
	return opener{open: func(_ context.Context, d disk.Disk) (queue.Store, error) {
		s := &smallStore{disk: d, flaw: f, state: newImage(), attached: map[uint64]bool{}}
		var err error
		if s.unlock, err = d.Lock(); err != nil {
			return nil, err
		}
		if f != noDirSyncAtOpen {
			err = d.SyncDir()
		}
		if err == nil {
			err = s.read()
		}
		if err != nil {
			return nil, errors.Join(err, s.unlock())
		}
		return s, nil
	}}
}

func (s *smallStore) read() error {
	f, err := s.disk.Open(smallFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	var saved smallState
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&saved); err != nil {
		return fmt.Errorf("%w: %w", queue.ErrStoreCorrupt, err)
	}
	s.state.now, s.state.above = saved.Now, saved.Above
	for name, value := range saved.Meta {
		s.state.meta[name] = value
	}
	for _, q := range saved.Queues {
		s.state.create(q.Name, q.Kind, &queue.Recovery{Queue: q.Number, Key: q.Key, Next: q.Next})
		m := s.state.queues[q.Number]
		for _, r := range q.Records {
			if m.records[r.Seq], err = r.record(); err != nil {
				return err
			}
		}
		for _, d := range q.Dedup {
			m.dedup[d.Key] = d
		}
	}
	return nil
}

// save writes everything.
func (s *smallStore) save() error {
	b := s.encode()
	if s.flaw == inPlace {
		return s.saveInPlace(b)
	}
	if err := s.disk.Remove(smallNew); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.disk.Create(smallNew, int64(len(b)))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if s.flaw != noFileSync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := s.disk.Rename(smallNew, smallFile); err != nil {
		return err
	}
	if s.flaw == noDirSync {
		return f.Close()
	}
	return errors.Join(s.disk.SyncDir(), f.Close())
}

func (s *smallStore) saveInPlace(b []byte) error {
	f, err := s.disk.Open(smallFile)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.disk.Create(smallFile, 0)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Sync(), s.disk.SyncDir(), f.Close())
}

func (s *smallStore) encode() []byte {
	saved := smallState{Meta: s.state.meta, Now: s.state.now, Above: s.state.above}
	for _, q := range s.state.sorted() {
		c := smallQueue{Number: q.number, Next: q.next, Name: q.name, Kind: q.kind, Key: q.key}
		for _, seq := range q.numbers() {
			c.Records = append(c.Records, newSmallRecord(q.records[seq]))
		}
		for _, d := range q.dedup {
			c.Dedup = append(c.Dedup, d)
		}
		saved.Queues = append(saved.Queues, c)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&saved); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Attach implements queue.Store.
func (s *smallStore) Attach(_ context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.state.named(name)
	if q == nil {
		if s.failed != nil {
			return nil, s.failed
		}
		r := &queue.Recovery{Queue: s.state.above + 1, Next: 1}
		rand.Read(r.Key[:])
		s.state.create(name, kind, r)
		q = s.state.queues[r.Queue]
		if err := s.commit(); err != nil {
			return nil, err
		}
	}
	if s.attached[q.number] {
		return nil, queue.ErrStoreLocked
	}
	s.attached[q.number] = true
	r := &queue.Recovery{Queue: q.number, Key: q.key, Next: q.next, Now: s.state.now, Pages: q.pages()}
	for _, d := range q.dedup {
		r.Dedup = append(r.Dedup, d)
	}
	return r, nil
}

// Detach implements queue.Store.
func (s *smallStore) Detach(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.attached, number)
}

// Append implements queue.Store.
func (s *smallStore) Append(b *queue.Batch) (queue.Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return 0, s.failed
	}
	b = copyBatch(b)
	for i := range b.Changes {
		if s.flaw == touchesForgotten {
			b.Changes[i].Touch = nil
		}
		if s.flaw == clearForgetsNothing {
			b.Changes[i].Clear = false
		}
	}
	if s.flaw == oneMoreLost && s.last%8 == 7 {
		s.last++ // and nothing else
		return s.last, nil
	}
	s.state.apply(b)
	s.last++
	return s.last, nil
}

// Wait implements queue.Store.
func (s *smallStore) Wait(c queue.Commit, l queue.Level) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved >= c {
		return nil
	}
	if s.flaw == noSyncForWritten && l == queue.Written {
		s.saved = c
		return nil
	}
	if s.failed != nil {
		return fmt.Errorf("%w: %w", queue.ErrUncertain, s.failed)
	}
	return s.commit()
}

func (s *smallStore) commit() error {
	if err := s.save(); err != nil {
		s.failed = fmt.Errorf("%w: %w", queue.ErrStoreFailed, err)
		return fmt.Errorf("%w: %w", queue.ErrUncertain, s.failed)
	}
	s.saved = s.last
	return nil
}

// Load implements queue.Store.
func (s *smallStore) Load(_ context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.state.queues[number]
	for _, seq := range q.numbers() {
		if from <= seq && seq < to {
			dst = append(dst, q.records[seq])
		}
	}
	return dst, nil
}

// Meta implements queue.Store.
func (s *smallStore) Meta(context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	meta := map[string][]byte{}
	for name, value := range s.state.meta {
		meta[name] = slices.Clone(value)
	}
	return meta, nil
}

// Close implements queue.Store.
func (s *smallStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && s.saved < s.last {
		_ = s.commit() // sets s.failed
	}
	return errors.Join(s.failed, s.unlock())
}

// The campaign accepts a store that is right, and rejects one from which a sync
// is removed, or which is wrong in another way.
func TestCampaignTellsRightFromWrong(t *testing.T) {
	t.Parallel()
	try := func(f flaw) (err error) {
		c := &campaign{ctx: t.Context(), opener: openSmall(f)}
		seeds := uint64(6)
		if f == flawless {
			seeds = 2
		}
		for seed := range seeds {
			if err = c.run(seed, trades()[0], 60); err != nil {
				break
			}
		}
		t.Logf("flaw %d: %v; %v", f, &c.total, err)
		return err
	}
	require.NoError(t, try(flawless))
	for f := noFileSync; f <= oneMoreLost; f++ {
		assert.Error(t, try(f), "flaw %d", f)
	}
}
