package broker

import (
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
)

// A description is all that can be said of how a queue is set.
type description struct {
	kind queue.Kind
	// cfg says what queues themselves know. Its DeadLetter is empty but for a
	// target that is no queue of the broker: else texts tell, and wired looks the
	// target up.
	cfg queue.Config
	// texts are the attributes that are kept as they were given. The map is
	// replaced, never changed.
	texts map[string]string
	// redrive is what the text of RedrivePolicy says; zero without one.
	redrive redrivePolicy
}

// apply changes d by SQS attributes and returns the settings they gave. Kind is
// the kind of queue whose attributes may be given.
func (d *description) apply(values map[string]string, kind queue.Kind) ([]setting, error) {
	if err := checkAttributeNames(values, kind); err != nil {
		return nil, err
	}
	var given []setting
	for _, a := range attributes { // in the table's order: a map has none
		value, ok := values[a.name]
		if !ok {
			continue
		}
		if err := a.field.parse(d, value); err != nil {
			return nil, refusal(a.name, err)
		}
		if s, ok := a.field.(seconds); ok {
			given = append(given, setting{a.name, wholeSeconds{s}})
		} else {
			given = append(given, setting{a.name, a.field})
		}
	}
	if err := d.checkThroughput(); err != nil {
		return nil, err
	}
	return given, d.settleEncryption(values)
}

// setText changes the text of an attribute; an empty one removes it.
func (d *description) setText(name, text string) {
	if name == redrivePolicyName {
		d.redrive, _ = parseRedrivePolicy(text) // zero if it isn't one
	}
	d.texts = maps.Clone(d.texts)
	if text == "" {
		delete(d.texts, name)
		return
	}
	if d.texts == nil {
		d.texts = make(map[string]string)
	}
	d.texts[name] = text
}

// judgedKind is the kind whose attributes may be given at creation. The name
// counts too: whoever creates "x.fifo" again need not repeat that it is a FIFO
// queue.
func (d *description) judgedKind(values map[string]string) queue.Kind {
	if isFIFO, _ := parseBool(values[fifoQueue]); isFIFO {
		return queue.FIFO
	}
	return kindOf(d.cfg.Name)
}

// checkAttributeNames refuses the first name, in alphabetical order, that a
// queue of that kind doesn't have, or that can't be set.
func checkAttributeNames(values map[string]string, kind queue.Kind) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
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

// checkThroughput refuses a limit for each message group where deduplication IDs
// are the whole queue's.
func (d *description) checkThroughput() error {
	if d.cfg.ThroughputLimit == queue.PerMessageGroupID && d.cfg.DeduplicationScope != queue.ScopeMessageGroup {
		return &AttributeError{
			Name:   throughputLimitName,
			Reason: "Invalid value for the parameter FifoThroughputLimit. Reason: perMessageGroupId requires DeduplicationScope to be messageGroup.",
			Err:    ErrInvalidAttributeValue,
		}
	}
	return nil
}

// settleEncryption makes what values say of encryption consistent: a queue has
// one kind of it, and a key turns SQS's own off.
func (d *description) settleEncryption(values map[string]string) error {
	key, managed := d.texts[kmsKey], d.texts[managedEncryption]
	_, keyGiven := values[kmsKey]
	_, managedGiven := values[managedEncryption]
	switch {
	case key == "" && keyGiven:
		d.setText(kmsReuse, "") // gone with the key
	case key == "":
	case managedGiven && managed == "true":
		return &AttributeError{
			Name:   managedEncryption,
			Reason: "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
			Err:    ErrInvalidAttributeName,
		}
	case keyGiven:
		d.setText(managedEncryption, "false")
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
