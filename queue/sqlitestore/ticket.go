package sqlitestore

import (
	"unsafe"

	"github.com/restantemq/restante/queue"
)

// A ticket is what joins a row of the outbox to the record that it becomes, so
// that the one leaves the database in the batch in which the other enters it.
//
// The queue makes the record: only it can give a sequence number, under its own
// lock, and it hands the store a queue.Change that doesn't say where a message
// came from. But a record's body is the string that was sent, so the address of
// its bytes does. That is sound because
//
//   - takeOver makes the body anew for this one purpose, so nobody else has that
//     address, and the ticket keeps it from being used again;
//   - a ticket is for one queue and is redeemed once, in the Append that inserts
//     the message. Whoever receives the message and sends it on does so later;
//   - a message that is not appended, because the queue refuses it or knows it
//     already, leaves its ticket behind, and takeOver sees that.
//
// A queue that changes bodies on their way would break this. WithOutbox takes
// only queues that live in the store, and those of this module don't.
type ticket struct {
	queue uint64
	row   int64
	body  string // keeps the address taken
}

// An outboxChange is what becomes of a row of the outbox.
type outboxChange struct {
	row    int64
	fate   fate
	reason string // why it was refused
}

type fate uint8

const (
	taken   fate = iota // it is a message now, or need not become one
	refused             // the queue did not want it
	waiting             // it is to be tried again
)

// issue makes the tickets of rows that are about to be sent to a queue.
func (s *Store) issue(number uint64, rows []outboxRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		body := rows[i].message.Body
		if body == "" {
			continue // no queue takes it
		}
		s.tickets[unsafe.StringData(body)] = ticket{number, rows[i].id, body}
	}
}

// redeem takes the tickets of what c inserts, and appends their rows to leaving.
// The caller must hold s.mu.
func (s *Store) redeem(leaving []outboxChange, c *queue.Change) []outboxChange {
	if len(s.tickets) == 0 {
		return leaving
	}
	for i := range c.Insert {
		at := unsafe.StringData(c.Insert[i].Body)
		if t, ok := s.tickets[at]; ok && t.queue == c.Queue {
			delete(s.tickets, at)
			leaving = append(leaving, outboxChange{row: t.row})
		}
	}
	return leaving
}

// withdraw takes back the tickets of rows, and returns for each whether it was
// still there: then no message has become of the row.
func (s *Store) withdraw(rows []outboxRow) []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([]bool, len(rows))
	for i := range rows {
		body := rows[i].message.Body
		if body == "" {
			left[i] = true
			continue
		}
		at := unsafe.StringData(body)
		if _, left[i] = s.tickets[at]; left[i] {
			delete(s.tickets, at)
		}
	}
	return left
}

// leaveOutbox writes what has become of rows.
func (t *transaction) leaveOutbox(changes []outboxChange) error {
	for _, c := range changes {
		var err error
		switch c.fate {
		case taken:
			err = t.w.exec(stTaken, c.row)
		case refused:
			err = t.w.exec(stRefused, text(c.reason), c.row)
		case waiting:
			err = t.w.exec(stRefused, nil, c.row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleRows makes durable what has become of rows of which no message was made.
func (s *Store) settleRows(changes []outboxChange) error {
	if len(changes) == 0 {
		return nil
	}
	s.mu.Lock()
	if err := s.refusing(); err != nil {
		s.mu.Unlock()
		return err
	}
	c := s.add(&batch{outbox: changes})
	s.mu.Unlock()
	return s.Wait(c, queue.Durable)
}
