package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// dedupKey is what a Deduplicator recognises a message by.
type dedupKey = [16]byte

// key returns a message's key, and first gives it the deduplication ID that its
// content makes, if it has none of its own.
func (q *Queue) key(m *queue.Message, cfg *queue.Config) dedupKey {
	if m.DeduplicationID == "" {
		sum := sha256.Sum256([]byte(m.Body))
		m.DeduplicationID = hex.EncodeToString(sum[:])
	}
	group := ""
	if cfg.DeduplicationScope == queue.ScopeMessageGroup {
		group = m.GroupID
	}
	return q.dedup.Key(group, m.DeduplicationID)
}

// keys returns the keys of messages, nil without deduplication. The messages are
// a copy if one of them had to be given its ID.
func (q *Queue) keys(ms []queue.Message, cfg *queue.Config) ([]queue.Message, []dedupKey) {
	if q.dedup == nil {
		return ms, nil
	}
	if slices.ContainsFunc(ms, func(m queue.Message) bool { return m.DeduplicationID == "" }) {
		ms = slices.Clone(ms)
	}
	keys := make([]dedupKey, len(ms))
	for i := range ms {
		keys[i] = q.key(&ms[i], cfg)
	}
	return ms, keys
}

// dedupUntil returns until when, in ms, a message accepted now suppresses
// repetitions. They don't prolong it.
func dedupUntil(now int64) int64 {
	return deadline(now, queue.DeduplicationInterval)
}

// suppress answers a repeated message with the original's ID and number, also
// if the original is gone. Otherwise it remembers the message, which is to be
// accepted.
func (q *Queue) suppress(sent *queue.Sent, key dedupKey, now int64) bool {
	seq, known := q.dedup.Known(key, floor(now))
	if !known {
		q.remember(key, q.next, dedupUntil(now))
		return false
	}
	q.identity.setID(&sent.ID, seq)
	sent.Sequence, sent.Duplicate = seq, true
	q.stats.Duplicates++
	return true
}

func (q *Queue) remember(key dedupKey, seq uint64, until int64) {
	q.dedup.Remember(key, seq, until)
	q.wake(until + int64(idleTime/time.Millisecond))
}

// idleTime is how long what is over may lie about before the timer comes to free
// it; so it comes seldom.
const idleTime = time.Second
