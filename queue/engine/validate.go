package engine

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// resolveConfig checks a configuration and fills its defaults in. Afterwards a
// zero is a zero.
func resolveConfig(c *queue.Config, kind queue.Kind) error {
	sqs := c.Limits == queue.SQSLimits
	if c.Limits > queue.Unlimited {
		return invalid("Limits", "not a queue.Limits")
	}
	if sqs && c.Name != "" {
		if err := checkName(c.Name, kind); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name                 string
		value                *time.Duration
		fallback, least, max time.Duration
	}{
		{"VisibilityTimeout", &c.VisibilityTimeout, queue.DefaultVisibility, 0, queue.MaxVisibility},
		{"DelaySeconds", &c.Delay, 0, 0, queue.MaxDelay},
		{"MessageRetentionPeriod", &c.Retention, queue.DefaultRetention, queue.MinRetention, queue.MaxRetention},
		{"ReceiveMessageWaitTimeSeconds", &c.ReceiveWait, 0, 0, queue.MaxWait},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		} else if *d.value == queue.None && d.least == 0 {
			*d.value = 0
		}
		if err := checkDuration(d.name, *d.value, d.least, d.max, sqs); err != nil {
			return err
		}
	}
	if err := resolveSize(c, sqs); err != nil {
		return err
	}
	if err := checkKindSettings(c, kind); err != nil {
		return err
	}
	return checkDeadLetter(&c.DeadLetter, kind, sqs)
}

func resolveSize(c *queue.Config, sqs bool) error {
	if c.MaxMessageSize == 0 {
		c.MaxMessageSize = queue.MaxMessage
		if !sqs {
			c.MaxMessageSize = math.MaxInt
		}
	}
	return checkCount("MaximumMessageSize", c.MaxMessageSize, queue.MinMessageLimit, queue.MaxMessage, sqs)
}

func checkKindSettings(c *queue.Config, kind queue.Kind) error {
	fifoOnly := map[string]bool{
		"ContentBasedDeduplication": c.ContentDeduplication,
		"DeduplicationScope":        c.DeduplicationScope != queue.ScopeQueue,
		"FifoThroughputLimit":       c.ThroughputLimit != queue.PerQueue || c.EnforceThroughput,
	}
	if kind != queue.FIFO {
		for name, set := range fifoOnly {
			if set {
				return &queue.LimitError{Parameter: name, Reason: "FIFO queues only", Err: queue.ErrNotForThisQueue}
			}
		}
	}
	switch {
	case c.DeduplicationScope > queue.ScopeMessageGroup:
		return invalid("DeduplicationScope", "not a queue.DeduplicationScope")
	case c.ThroughputLimit > queue.PerMessageGroupID:
		return invalid("FifoThroughputLimit", "not a queue.ThroughputLimit")
	case c.ThroughputLimit == queue.PerMessageGroupID && c.DeduplicationScope != queue.ScopeMessageGroup:
		return invalid("FifoThroughputLimit", "PerMessageGroupID needs ScopeMessageGroup")
	}
	return nil
}

func checkDeadLetter(d *queue.DeadLetter, kind queue.Kind, sqs bool) error {
	if d.Target == nil {
		if d.MaxReceives != 0 {
			return invalid("DeadLetter", "MaxReceives without a Target")
		}
		return nil
	}
	if d.Target.Kind() != kind {
		return invalid("DeadLetter", "the target must be a "+kind.String()+" queue")
	}
	return checkCount("MaxReceiveCount", d.MaxReceives, 1, queue.MaxReceivesLimit, sqs)
}

const maxNameLength = 80

// checkName holds names to the form of SQS queue names.
func checkName(name string, kind queue.Kind) error {
	plain := name
	if kind == queue.FIFO {
		var ok bool
		if plain, ok = strings.CutSuffix(name, ".fifo"); !ok {
			return &queue.LimitError{Parameter: "QueueName", Text: name, Reason: "the name of a FIFO queue ends in .fifo", Err: queue.ErrInvalidParameter}
		}
	}
	if len(name) > maxNameLength {
		return &queue.LimitError{Parameter: "QueueName", Got: len(name), Min: 1, Max: maxNameLength, Text: name, Reason: "characters", Err: queue.ErrInvalidParameter}
	}
	ok := plain != ""
	for i := range len(plain) {
		ok = ok && (alphanumeric(plain[i]) || plain[i] == '-' || plain[i] == '_')
	}
	if !ok {
		return &queue.LimitError{Parameter: "QueueName", Text: name, Reason: "1 to 80 letters, digits, hyphens and underscores are allowed", Err: queue.ErrInvalidParameter}
	}
	return nil
}

// checkDuration refuses a duration below its least value, and above max where
// SQS's limits hold.
func checkDuration(name string, d, least, max time.Duration, sqs bool) error {
	switch {
	case sqs && (d < least || d > max):
		return &queue.LimitError{Parameter: name, Got: d, Min: least, Max: max, Err: queue.ErrInvalidParameter}
	case d < 0:
		return &queue.LimitError{Parameter: name, Got: d, Min: time.Duration(0), Err: queue.ErrInvalidParameter}
	}
	return nil
}

// checkCount refuses a number below 1, and one outside least and max where SQS's
// limits hold.
func checkCount(name string, n, least, max int, sqs bool) error {
	switch {
	case sqs && (n < least || n > max):
		return &queue.LimitError{Parameter: name, Got: n, Min: least, Max: max, Err: queue.ErrInvalidParameter}
	case n < 1:
		return &queue.LimitError{Parameter: name, Got: n, Min: 1, Err: queue.ErrInvalidParameter}
	}
	return nil
}

// override returns what a zero, None or positive field means.
func override(d, fallback time.Duration) time.Duration {
	switch d {
	case 0:
		return fallback
	case queue.None:
		return 0
	}
	return d
}

func resolveReceive(r *request, o *queue.ReceiveOptions, kind queue.Kind, c *queue.Config) error {
	sqs := c.Limits == queue.SQSLimits
	if r.max = o.Max; r.max == 0 {
		r.max = 1
	}
	if r.max < 1 || r.max > queue.MaxReceive { // asked here, because every receive comes by
		if err := checkCount("MaxNumberOfMessages", r.max, 1, queue.MaxReceive, sqs); err != nil {
			return err
		}
	}
	r.wait = override(o.Wait, c.ReceiveWait)
	if err := checkDuration("WaitTimeSeconds", r.wait, 0, queue.MaxWait, sqs); err != nil {
		return err
	}
	r.timeout = override(o.VisibilityTimeout, c.VisibilityTimeout)
	if err := checkDuration("VisibilityTimeout", r.timeout, 0, queue.MaxVisibility, sqs); err != nil {
		return err
	}
	if o.AttemptID != "" && kind == queue.FIFO {
		if err := checkID("ReceiveRequestAttemptId", o.AttemptID); err != nil && sqs {
			return err
		}
		r.attempt = o.AttemptID
	}
	if cap(o.Into) >= r.max {
		r.into = o.Into
	}
	return nil
}

func checkVisibility(d time.Duration, c *queue.Config) error {
	return checkDuration("VisibilityTimeout", d, 0, queue.MaxVisibility, c.Limits == queue.SQSLimits)
}

func checkBatch(n int, c *queue.Config) error {
	if n == 0 {
		return &queue.LimitError{Parameter: "Entries", Got: 0, Min: 1, Max: queue.MaxBatch, Err: queue.ErrEmptyBatch}
	}
	if c.Limits == queue.SQSLimits && n > queue.MaxBatch {
		return &queue.LimitError{Parameter: "Entries", Got: n, Min: 1, Max: queue.MaxBatch, Err: queue.ErrTooManyEntries}
	}
	return nil
}

// checkBatchBytes compares the sum of all sizes with SQS's fixed limit, not with
// the queue's own limit for one message.
func checkBatchBytes(ms []queue.Message, c *queue.Config) error {
	if c.Limits != queue.SQSLimits {
		return nil
	}
	total := 0
	for i := range ms {
		total += ms[i].Size()
	}
	if total > queue.MaxBatchBytes {
		return &queue.LimitError{Parameter: "Entries", Got: total, Min: 1, Max: queue.MaxBatchBytes, Reason: "summed sizes in bytes", Err: queue.ErrBatchTooLarge}
	}
	return nil
}

// delayOf returns the delay of a checked message.
func delayOf(m *queue.Message, kind queue.Kind, c *queue.Config) time.Duration {
	if kind == queue.FIFO {
		return c.Delay // a delay of zero is accepted there, and means nothing
	}
	return override(m.Delay, c.Delay)
}

// checkMessage holds a message to its limits.
func checkMessage(m *queue.Message, kind queue.Kind, c *queue.Config) error {
	if m.Body == "" {
		return missing("MessageBody")
	}
	sqs := c.Limits == queue.SQSLimits
	if size := m.Size(); size > c.MaxMessageSize {
		return &queue.LimitError{Parameter: "MessageBody", Got: size, Min: 1, Max: c.MaxMessageSize, Reason: "bytes, attributes included", Err: queue.ErrMessageTooLarge}
	}
	if sqs {
		if err := checkText(m.Body); err != "" {
			return &queue.LimitError{Parameter: "MessageBody", Reason: err, Err: queue.ErrInvalidContents}
		}
		if m.Attributes != (queue.Attributes{}) {
			if err := checkAttributes(m.Attributes); err != nil {
				return err
			}
		}
	}
	if kind == queue.Standard && m.Delay == 0 && m.GroupID == "" && m.DeduplicationID == "" {
		return nil // most messages
	}
	return checkForKind(m, kind, c, sqs)
}

// checkForKind checks what the two kinds of queue treat differently.
func checkForKind(m *queue.Message, kind queue.Kind, c *queue.Config, sqs bool) error {
	if m.Delay != 0 && m.Delay != queue.None {
		if err := checkDuration("DelaySeconds", m.Delay, 0, queue.MaxDelay, sqs); err != nil {
			return err
		}
		if kind == queue.FIFO {
			return &queue.LimitError{Parameter: "DelaySeconds", Got: m.Delay, Reason: "a FIFO queue delays all messages alike", Err: queue.ErrNotForThisQueue}
		}
	}
	if m.GroupID != "" {
		if err := checkID("MessageGroupId", m.GroupID); err != nil && sqs {
			return err
		}
	}
	if kind == queue.Standard {
		if m.DeduplicationID != "" {
			return &queue.LimitError{Parameter: "MessageDeduplicationId", Text: m.DeduplicationID, Reason: "FIFO queues only", Err: queue.ErrNotForThisQueue}
		}
		return nil
	}
	// Which one SQS reports when both are missing is not known; the group here.
	if m.GroupID == "" {
		return missing("MessageGroupId")
	}
	if m.DeduplicationID == "" && !c.ContentDeduplication {
		// SQS calls this an invalid parameter, unlike a missing group.
		return &queue.LimitError{Parameter: "MessageDeduplicationId", Reason: "give one, or set Config.ContentDeduplication", Err: queue.ErrInvalidParameter}
	}
	if m.DeduplicationID != "" && sqs {
		return checkID("MessageDeduplicationId", m.DeduplicationID)
	}
	return nil
}

// checkID holds an ID to ASCII letters, digits and punctuation.
func checkID(name, id string) error {
	if len(id) > queue.MaxIDLength {
		return &queue.LimitError{Parameter: name, Got: len(id), Min: 1, Max: queue.MaxIDLength, Text: id, Reason: "characters", Err: queue.ErrInvalidParameter}
	}
	ok := true
	for i := range len(id) {
		ok = ok && id[i] > ' ' && id[i] < 0x7f
	}
	if !ok {
		return &queue.LimitError{
			Parameter: name, Text: id, Reason: fmt.Sprintf("1 to %d ASCII letters, digits and punctuation marks are allowed", queue.MaxIDLength),
			Err: queue.ErrInvalidParameter,
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func missing(parameter string) error {
	return &queue.LimitError{Parameter: parameter, Reason: "required", Err: queue.ErrMissingParameter}
}

func invalid(parameter, reason string) error {
	return &queue.LimitError{Parameter: parameter, Reason: reason, Err: queue.ErrInvalidParameter}
}
