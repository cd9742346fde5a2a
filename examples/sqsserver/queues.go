package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/restantemq/restante/queue/broker"
)

// A queueConfig is a queue that is to be there.
type queueConfig struct {
	name             string
	attributes, tags map[string]string
	origin           string // where it was asked for, for errors
}

// queues returns the queues of the configuration file, then those of the flags.
func (s *settings) queues() ([]queueConfig, error) {
	var queues []queueConfig
	if s.config != "" {
		text, err := os.ReadFile(s.config)
		if err != nil {
			return nil, err
		}
		if queues, err = parseConfig(text); err != nil {
			return nil, fmt.Errorf("%s: %w", s.config, err)
		}
		for i := range queues {
			queues[i].origin = s.config + ": " + queues[i].origin
		}
	}
	for _, name := range s.names {
		queues = append(queues, queueConfig{name: name, origin: "-queue " + name})
	}
	for i := range queues {
		if q := &queues[i]; strings.HasSuffix(q.name, ".fifo") && q.attributes["FifoQueue"] == "" {
			if q.attributes == nil {
				q.attributes = make(map[string]string)
			}
			q.attributes["FifoQueue"] = "true"
		}
	}
	return queues, nil
}

// parseConfig reads a configuration: a list of objects with the members name,
// attributes and tags. Attributes have SQS's names and values, which are texts;
// for those that like it better, a number, true or false stand for their text,
// and an object for its JSON, as RedrivePolicy has it.
func parseConfig(text []byte) ([]queueConfig, error) {
	var list []json.RawMessage
	if err := decodeStrictly(text, &list); err != nil {
		return nil, fmt.Errorf("it is to be a list of queues, [{\"name\": \"orders\"}]: %w", err)
	}
	queues := make([]queueConfig, len(list))
	places := make(map[string]int)
	for i, element := range list {
		var q struct {
			Name       string                     `json:"name"`
			Attributes map[string]json.RawMessage `json:"attributes"`
			Tags       map[string]string          `json:"tags"`
		}
		place := fmt.Sprintf("queue %d", i+1)
		if err := decodeStrictly(element, &q); err != nil {
			return nil, fmt.Errorf("%s: %w; a queue has name, attributes and tags", place, err)
		}
		if q.Name == "" {
			return nil, fmt.Errorf("%s has no name", place)
		}
		place = fmt.Sprintf("queue %d, %q", i+1, q.Name)
		if first, twice := places[q.Name]; twice {
			return nil, fmt.Errorf("%s: it is the name of queue %d, too", place, first)
		}
		places[q.Name] = i + 1
		attributes := make(map[string]string)
		for name, raw := range q.Attributes {
			value, err := attributeText(raw)
			if err != nil {
				return nil, fmt.Errorf("%s: attribute %s: %w", place, name, err)
			}
			attributes[name] = value
		}
		queues[i] = queueConfig{name: q.Name, attributes: attributes, tags: q.Tags, origin: place}
	}
	return queues, nil
}

// decodeStrictly takes one value, and members that are known.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something stands behind its end")
		}
	}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}

// attributeText returns the text that a value of the configuration stands for.
func attributeText(raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case 'n':
		return "", errors.New("null is no value; leave the attribute out")
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err
}

// createAll creates the queues. A queue may name a dead-letter queue that stands
// further down: what fails is tried again as long as others succeed.
func createAll(ctx context.Context, b *broker.Broker, queues []queueConfig) error {
	for len(queues) > 0 {
		var failed []queueConfig
		var first error
		for _, q := range queues {
			_, err := b.CreateTagged(ctx, q.name, q.attributes, q.tags)
			if err == nil {
				continue
			}
			failed = append(failed, q)
			if errors.Is(err, broker.ErrQueueExists) {
				err = fmt.Errorf("%w; change the queue by SetQueueAttributes, or delete it", err)
			}
			if first == nil {
				first = fmt.Errorf("%s: %w", q.origin, err)
			}
		}
		if len(failed) == len(queues) {
			return first
		}
		queues = failed
	}
	return nil
}
