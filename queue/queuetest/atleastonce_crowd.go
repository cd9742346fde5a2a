package queuetest

import (
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// officeCrowdCases are about many who send and receive at the same time.
var officeCrowdCases = []officeCase{
	{
		name: "AtLeastOnce/crowd",
		rule: "several senders and receivers, who delete, release, extend, and forget what they got, lose nothing and invent nothing",
		cfg:  queue.Config{VisibilityTimeout: 10 * time.Second},
		test: func(o *office) {
			ls := o.letters(240, func(i int, m *queue.Message) {
				if o.harness.Kind == queue.FIFO {
					m.GroupID = fmt.Sprintf("group-%d", i/2%13) // senders share groups
				}
			})
			third := len(ls) / 3
			receiver := func(c *clerk) {
				c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.handle(ps) })
			}
			sender := func(ls []*letter) func(c *clerk) {
				return func(c *clerk) {
					for len(ls) > 0 {
						n := min(24, len(ls))
						c.sendMixed(ls[:n])
						ls = ls[n:]
						time.Sleep(time.Second)
					}
				}
			}
			o.together(receiver, sender(ls[:third]), receiver, sender(ls[third:2*third]), receiver, sender(ls[2*third:]), receiver)
		},
	},
	{
		name:        "AtLeastOnce/dead-letter-crowd",
		rule:        "with several receivers every message is deleted or ends up in the dead-letter queue, and none is lost between",
		cfg:         queue.Config{VisibilityTimeout: 5 * time.Second},
		maxReceives: 2,
		test: func(o *office) {
			ls := o.letters(90, func(i int, m *queue.Message) {
				if o.harness.Kind == queue.FIFO {
					m.GroupID = fmt.Sprintf("group-%d", i%9)
				}
			})
			settled := func(l *letter) bool { return isDeleted(l) || l.dead }
			receiver := func(c *clerk) {
				c.receiveUntil(poll, ls, "all deleted or dead letters", settled, func(ps []parcel) {
					for _, p := range ps {
						if p.number%3 > 0 {
							c.delete(p)
						}
					}
				})
			}
			undertaker := func(c *clerk) {
				c.q = c.dead
				c.receiveUntil(poll, ls, "all deleted or dead letters", settled, func(ps []parcel) { c.delete(ps...) })
			}
			o.together(receiver, receiver, undertaker, func(c *clerk) { c.sendMixed(ls) }, receiver)
		},
	},
}

// handle does with each parcel what its number says, once: later all of them are
// deleted.
func (c *clerk) handle(ps []parcel) {
	var done, released, extended []parcel
	for _, p := range ps {
		switch fate := p.number % 8; {
		case p.ReceiveCount > 1 || fate < 4:
			done = append(done, p)
		case fate == 4:
			released = append(released, p)
		case fate < 7:
			extended = append(extended, p)
		} // and the rest is forgotten
	}
	if len(released) > 0 {
		c.change(0, released...)
	}
	if len(extended) > 0 {
		done = append(done, c.change(time.Minute, extended...)...)
	}
	switch half := len(done) / 2; {
	case len(done) == 0:
	case done[0].number%2 == 0:
		c.delete(done...)
	default: // some alone, some in a batch
		for _, p := range done[:half] {
			c.delete(p)
		}
		c.delete(done[half:]...)
	}
}
