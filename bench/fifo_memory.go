package main

import (
	"context"
	"strings"

	"github.com/restantemq/restante/queue"
)

// groupMemory measures what the heap grows by for each message group beside its
// message: it compares messages of as many groups with as many of one group.
// The messages are alike to the length of their labels, which are theirs alone.
type groupMemory struct {
	once
	groups int
	bodies *ring
}

func (t *groupMemory) round() ([]value, error) {
	var grown [2]float64
	for i, groups := range []int{t.groups, 1} {
		var err error
		if grown[i], err = t.growth(groups); err != nil {
			return nil, err
		}
	}
	messages := float64(t.groups)
	values := []value{{unit: "B/group", numerator: grown[0] - grown[1], denominator: messages - 1}}
	for i, name := range []string{"messages=all_groups", "messages=one_group"} {
		values = append(values, value{
			name: name, unit: "B/message",
			numerator: grown[i] - messages*float64(t.bodies.size), denominator: messages,
		})
	}
	return values, nil
}

// growth returns by how much the heap grows with the messages, which go to the
// first so many groups in turn.
func (t *groupMemory) growth(groups int) (float64, error) {
	bodies, names := t.bodies.from(0), newNames(t.groups)
	labels := newLabels(names)
	before := heapInUse()
	q, err := newFIFO(queue.Config{})
	if err != nil {
		return 0, err
	}
	defer q.Close()
	for i := range t.groups {
		var m queue.Message
		labels.next(&m)
		// Nobody else keeps the clones; see memory.
		m.Body = strings.Clone(bodies.next())
		m.GroupID = strings.Clone(names.at(i % groups))
		if _, err := q.Send(context.Background(), m); err != nil {
			return 0, err
		}
	}
	return heapInUse() - before, nil
}

// dedupMemory measures what the heap grows by for each deduplication ID that a
// queue remembers after its message was deleted. It has to end within the five
// minutes for which they are remembered.
type dedupMemory struct {
	once
	ids    int // a multiple of the batch
	bodies *ring
}

func (t *dedupMemory) round() ([]value, error) {
	labels := newLabels(newNames(1))
	t.bodies.from(0) // make them
	before := heapInUse()
	q, err := newFIFO(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	w := newWorker(q, t.bodies.from(0), labels, queue.MaxBatch)
	for range t.ids / queue.MaxBatch {
		if err := w.many(); err != nil {
			return nil, err
		}
	}
	return []value{{unit: "B/ID", numerator: heapInUse() - before, denominator: float64(t.ids)}}, nil
}
