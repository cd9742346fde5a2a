package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/restantemq/restante/queue"
)

// A redrivePolicy is where a queue's messages go that are received too often.
type redrivePolicy struct {
	target      string // ARN
	maxReceives int
}

// reasoned refuses a policy for a reason in SQS's words.
func reasoned(name, text, reason string) error {
	return &AttributeError{
		Name:   name,
		Reason: fmt.Sprintf("Value %s for parameter %s is invalid. Reason: %s", text, name, reason),
		Err:    queue.ErrInvalidParameter,
	}
}

// parseRedrivePolicy reads an attribute RedrivePolicy. It does not look for the
// queue, and lets the number be above SQS's limit: without limits, a Config may
// say so.
func parseRedrivePolicy(text string) (redrivePolicy, error) {
	if text == "" {
		return redrivePolicy{}, nil
	}
	fields, err := jsonMap(text)
	if err != nil {
		return redrivePolicy{}, &AttributeError{
			Name:   redrivePolicyName,
			Reason: "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
			Err:    ErrInvalidAttributeValue,
		}
	}
	refused := func(reason string) (redrivePolicy, error) {
		return redrivePolicy{}, reasoned(redrivePolicyName, text, reason)
	}
	for name := range fields {
		if name != "maxReceiveCount" && name != "deadLetterTargetArn" {
			return refused("Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].")
		}
	}
	for _, name := range []string{"maxReceiveCount", "deadLetterTargetArn"} {
		if v, ok := fields[name]; !ok || v == nil {
			return refused("Redrive policy does not contain mandatory attribute: " + name + ".")
		}
	}
	count := fmt.Sprint(fields["maxReceiveCount"]) // a number, or a text that is one
	n, ok := parseInteger(count)
	if !ok || n < 1 {
		return refused(badCount(count))
	}
	target, _ := fields["deadLetterTargetArn"].(string)
	if _, _, ok := parseARN(target); !ok {
		return refused("Only SQS queues are valid resources for deadLetterTargetArn.")
	}
	return redrivePolicy{target, n}, nil
}

// jsonMap reads a JSON object whose numbers stay as they are written.
func jsonMap(text string) (map[string]any, error) {
	if !json.Valid([]byte(text)) {
		return nil, errValue
	}
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errValue
	}
	return fields, nil
}

func badCount(count string) string {
	return "Invalid value for maxReceiveCount: " + count + ", valid values are from 1 to 1000 both inclusive."
}

// checkRedrivePolicy holds an attribute RedrivePolicy to what SQS takes.
func checkRedrivePolicy(text string) error {
	p, err := parseRedrivePolicy(text)
	if err == nil && p.maxReceives > queue.MaxReceivesLimit {
		err = reasoned(redrivePolicyName, text, badCount(strconv.Itoa(p.maxReceives)))
	}
	return err
}

// redriveMeaning is the same for policies that say the same.
func redriveMeaning(text string) string {
	p, err := parseRedrivePolicy(text)
	if err != nil {
		return ""
	}
	return p.text()
}

// text writes the policy as the attribute does.
func (p redrivePolicy) text() string {
	return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, p.target, p.maxReceives)
}

// checkRedrive says whether q may have the RedrivePolicy in d: whether there is such
// a dead-letter queue, and it takes messages of q.
func (q *Queue) checkRedrive(d *description) error {
	p := d.redrive
	if p.target == "" {
		return nil
	}
	refused := func(reason string) error {
		return reasoned(redrivePolicyName, d.texts[redrivePolicyName], reason)
	}
	if p.target == q.arn { // SQS's answer is not documented
		return refused("A queue cannot be its own dead-letter queue.")
	}
	if s, _, _ := parseARN(p.target); s.Account != q.scope.Account {
		return refused("Dead-letter target owner should be same as the source.")
	} else if s.Region != q.scope.Region {
		return refused("Dead letter target does not exist.")
	}
	target := q.find(p.target)
	if target == nil {
		return refused("Dead letter target does not exist.")
	}
	if target.kind != q.kind {
		return refused("Dead-letter queue must be same type of queue as the source..") // two dots, as SQS has it
	}
	for next := target; next != nil; next = q.find(next.describe().redrive.target) {
		if next.describe().redrive.target == q.arn { // SQS's answer is not documented
			return refused("Messages would go round: a dead-letter queue cannot lead back to its source.")
		}
	}
	if a := target.allows(); !a.allows(q.arn) { // SQS's text is not documented
		return refused("The redrive allow policy of the dead-letter queue does not permit this source queue.")
	}
	return nil
}

// allows returns the queue's RedriveAllowPolicy.
func (q *Queue) allows() allowPolicy {
	d := q.describe()
	a, _ := parseAllowPolicy(d.texts[redriveAllowName])
	return a
}

// An allowPolicy says which queues may have a queue for their dead-letter queue.
type allowPolicy struct {
	permission string // allowAll, denyAll, byQueue
	sources    []string
}

const (
	allowAll = "allowAll"
	denyAll  = "denyAll"
	byQueue  = "byQueue"
)

func (a allowPolicy) allows(arn string) bool {
	return a.permission == allowAll || a.permission == byQueue && slices.Contains(a.sources, arn)
}

// maxAllowedSources is how many queues a RedriveAllowPolicy may name.
const maxAllowedSources = 10

// parseAllowPolicy reads an attribute RedriveAllowPolicy. An empty one allows all.
func parseAllowPolicy(text string) (allowPolicy, error) {
	if text == "" {
		return allowPolicy{permission: allowAll}, nil
	}
	const cannot = "Amazon SQS can't create the redrive allow policy"
	malformed := &AttributeError{
		Name:   redriveAllowName,
		Reason: "Invalid value for the parameter RedriveAllowPolicy. Reason: " + cannot + ", as it’s in an unsupported format.",
		Err:    ErrInvalidAttributeValue,
	}
	fields, err := jsonMap(text)
	if err != nil {
		return allowPolicy{}, malformed
	}
	var a allowPolicy
	a.permission, _ = fields["redrivePermission"].(string)
	list, listed := fields["sourceQueueArns"].([]any)
	known := len(fields) == 1 || len(fields) == 2 && listed
	if !known || !slices.Contains([]string{allowAll, denyAll, byQueue}, a.permission) {
		return allowPolicy{}, malformed
	}
	for _, v := range list {
		arn, _ := v.(string)
		if _, _, ok := parseARN(arn); !ok {
			return allowPolicy{}, malformed
		}
		a.sources = append(a.sources, arn)
	}
	switch {
	case a.permission == byQueue && len(list) == 0:
		return a, reasoned(redriveAllowName, text, cannot+". When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")
	case a.permission == byQueue && len(list) > maxAllowedSources:
		return a, reasoned(redriveAllowName, text, cannot+". The maximum number of source queue ARNs you can specify is 10.")
	case a.permission != byQueue && listed:
		return a, reasoned(redriveAllowName, text, cannot+". To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
	}
	return a, nil
}

func checkAllowPolicy(text string) error {
	_, err := parseAllowPolicy(text)
	return err
}

// allowMeaning is the same for policies that say the same.
func allowMeaning(text string) string {
	a, err := parseAllowPolicy(text)
	if err != nil {
		return ""
	}
	slices.Sort(a.sources)
	return a.permission + " " + strings.Join(a.sources, " ")
}
