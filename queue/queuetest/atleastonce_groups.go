package queuetest

import (
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// officeGroupCases are about FIFO queues.
var officeGroupCases = []officeCase{
	{
		name: "AtLeastOnce/group-order",
		rule: "the first deliveries of a group's messages come in the order in which they were accepted",
		kind: queue.FIFO,
		cfg:  queue.Config{VisibilityTimeout: 10 * time.Second},
		test: func(o *office) {
			ls := o.letters(60, func(i int, m *queue.Message) { m.GroupID = fmt.Sprintf("group-%d", i/3%4) })
			c := o.clerk()
			c.sendMixed(ls[:30])
			c.receiveUntil(poll, ls[:30], "all deleted", isDeleted, func(ps []parcel) { c.handle(ps) })
			receiver := func(c *clerk) {
				c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.handle(ps) })
			}
			o.together(receiver, func(c *clerk) { c.sendMixed(ls[30:]) }, receiver)
		},
	},
	{
		name: "AtLeastOnce/group-held",
		rule: "while a message of a group is held, neither it nor a later one of the group is delivered to somebody else",
		kind: queue.FIFO,
		cfg:  queue.Config{VisibilityTimeout: time.Minute},
		test: testGroupHeld,
	},
	{
		name: "AtLeastOnce/deduplicated",
		rule: "one message is made of a deduplication ID, however often it is sent within five minutes",
		kind: queue.FIFO,
		test: func(o *office) {
			ls := o.letters(24, nil)
			c := o.clerk()
			for i := 0; i < len(ls); i += 4 { // few, so that five minutes are long
				four := ls[i : i+4]
				c.send(four...)
				c.send(four[0])
				if ps := c.receive(poll); len(ps) > 0 {
					c.delete(ps...) // what is deleted is remembered as well
				}
				c.send(four[1:]...)
			}
			c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.delete(ps...) })
		},
	},
}

// One clerk takes the head of a group, extends its hold and deletes it, while
// another one looks for more. The book knows who may have what.
func testGroupHeld(o *office) {
	ls := o.letters(12, func(i int, m *queue.Message) { m.GroupID = fmt.Sprintf("group-%d", i%2) })
	holder, other := o.clerk(), o.clerk()
	holder.sendMixed(ls)
	look := func() {
		for range 6 {
			time.Sleep(5 * time.Second)
			other.receive(queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.None, VisibilityTimeout: time.Second})
		}
	}
	one := queue.ReceiveOptions{Max: 1, Wait: queue.MaxWait}
	for range 4 {
		ps := holder.receive(one)
		look()
		ps = holder.change(time.Minute, ps...)
		look()
		if len(ps) > 0 {
			holder.delete(ps...)
		}
	}
	other.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { other.delete(ps...) })
}
