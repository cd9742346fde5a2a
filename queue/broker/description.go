package broker

import (
	"slices"

	"github.com/restantemq/restante/queue"
)

// A description is all that can be said of a queue when it is created.
type description struct {
	kind queue.Kind
	cfg  queue.Config
}

// apply changes d by SQS attributes and returns the settings they gave.
func (d *description) apply(values map[string]string) ([]setting, error) {
	if err := checkAttributeNames(values, d.judgedKind(values)); err != nil {
		return nil, err
	}
	var given []setting
	for _, a := range attributes { // in the table's order: a map has none
		value, ok := values[a.name]
		if !ok {
			continue
		}
		if a.field == nil {
			return nil, &AttributeError{Name: a.name, Err: queue.ErrUnsupported}
		}
		if !a.field.parse(d, value) {
			return nil, &AttributeError{Name: a.name, Err: ErrInvalidAttributeValue}
		}
		given = append(given, setting{a.name, a.field})
	}
	return given, nil
}

// judgedKind is the kind whose attributes may be given. The name counts too:
// whoever creates "x.fifo" again need not repeat that it is a FIFO queue.
func (d *description) judgedKind(values map[string]string) queue.Kind {
	if isFIFO, _ := parseBool(values[fifoQueue]); isFIFO {
		return queue.FIFO
	}
	return kindOf(d.cfg.Name)
}

// checkAttributeNames refuses the first name, in alphabetical order, that a
// queue of that kind doesn't have.
func checkAttributeNames(values map[string]string, kind queue.Kind) error {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		i := slices.IndexFunc(attributes, func(a attribute) bool { return a.name == name })
		if i < 0 {
			return &AttributeError{Name: name, Err: ErrInvalidAttributeName}
		}
		if a := attributes[i]; a.fifoOnly && kind != queue.FIFO {
			return &AttributeError{Name: name, Reason: a.elsewhere, Err: ErrInvalidAttributeName}
		}
	}
	return nil
}

// given returns the settings that are not zero in d.
func (d *description) given() []setting {
	var given []setting
	for _, s := range settings() {
		if s.field.isGiven(d) {
			given = append(given, s)
		}
	}
	return given
}

// agree says whether a queue that is now as current has what was asked for, in
// the settings given.
func agree(current, asked description, given []setting) error {
	for _, s := range given {
		if s.field.value(&current) != s.field.value(&asked) {
			return &AttributeError{Name: s.name, Err: ErrQueueExists}
		}
	}
	return nil
}
