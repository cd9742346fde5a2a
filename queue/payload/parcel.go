package payload

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/restantemq/restante/queue"
)

// A parcel is a message on its way into the queue.
type parcel struct {
	message queue.Message // as the inner queue is to get it
	body    string        // for the blob, if there is one
	at      Pointer       // of the blob; zero: the message goes as it is
}

func (p *parcel) hasBlob() bool { return p.at != Pointer{} }

// pack decides whether m's body becomes a blob, and refuses what can't be sent.
// It does nothing yet.
func (q *Queue) pack(m queue.Message, cfg *queue.Config) (parcel, error) {
	if name, _, ok := markIn(m.Attributes); ok {
		// Also of small messages: receivers would look for a pointer in their bodies.
		return parcel{}, &queue.LimitError{
			Parameter: "MessageAttributes", Text: name, Reason: "the name is reserved: it marks a body that is a pointer",
			Err: queue.ErrInvalidParameter,
		}
	}
	limit := q.options.Threshold
	if cfg.MaxMessageSize > 0 {
		limit = min(limit, cfg.MaxMessageSize)
	}
	if m.Body == "" || !q.options.Always && m.Size() <= limit {
		return parcel{message: m}, nil // an empty body is the inner queue's to refuse
	}
	if err := q.checkLarge(&m, cfg); err != nil {
		return parcel{}, err
	}
	if cfg.ContentDeduplication && m.DeduplicationID == "" {
		// The inner queue would hash the pointer, which is another one each time.
		sum := sha256.Sum256([]byte(m.Body))
		m.DeduplicationID = hex.EncodeToString(sum[:])
	}
	p := parcel{body: m.Body, at: Pointer{q.options.Bucket, q.options.Prefix + newUUID()}}
	m.Body = p.at.Body(q.options.Legacy)
	m.Attributes = marked(m.Attributes, len(p.body), q.options.Legacy)
	p.message = m
	return p, nil
}

// checkLarge checks what the inner queue can't: the body, which it doesn't see,
// and the attributes, to which one is added.
func (q *Queue) checkLarge(m *queue.Message, cfg *queue.Config) error {
	if cfg.Limits == queue.SQSLimits {
		if err := checkLength(int64(len(m.Body))); err != nil {
			return err
		}
		if err := checkContents(m.Body); err != nil {
			return err
		}
		if n := m.Attributes.Len(); n > MaxAttributes {
			return &queue.LimitError{
				Parameter: "MessageAttributes", Got: n, Min: 0, Max: MaxAttributes, Reason: "beside a body that is kept in a blob",
				Err: queue.ErrInvalidParameter,
			}
		}
	}
	if size := m.Attributes.Size(); size > q.options.Threshold {
		return &queue.LimitError{
			Parameter: "MessageAttributes", Got: size, Min: 0, Max: q.options.Threshold, Reason: "bytes; attributes are not kept in blobs",
			Err: queue.ErrMessageTooLarge,
		}
	}
	return nil
}

func checkLength(bytes int64) error {
	if most := MaxPayload; bytes > most { // never where an int can't hold it
		return &queue.LimitError{Parameter: "MessageBody", Got: int(bytes), Min: 1, Max: int(most), Reason: "bytes", Err: queue.ErrMessageTooLarge}
	}
	return nil
}

// newUUID returns a random UUID (version 4) as text.
func newUUID() string {
	var id queue.MessageID // which is written as a UUID
	rand.Read(id[:])       // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// store writes the parcel's blob, if it has one. After an error there is none.
func (q *Queue) store(ctx context.Context, p *parcel) error {
	if !p.hasBlob() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("payload: put: %w", err)
	}
	if err := q.blobs.Put(ctx, p.at, p.body); err != nil {
		return &BlobError{Op: OpPut, Blob: p.at, Err: err}
	}
	return nil
}
