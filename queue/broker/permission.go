package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// A policy is the attribute Policy, as far as permissions change it.
type policy struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

// statements are kept as they were written. One alone may stand without brackets.
type statements []json.RawMessage

// UnmarshalJSON implements [json.Unmarshaler].
func (s *statements) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		*s = statements{slices.Clone(b)}
		return nil
	}
	return json.Unmarshal(b, (*[]json.RawMessage)(s))
}

// A statement is a permission that AddPermission gives.
type statement struct {
	Sid       string
	Effect    string
	Principal struct{ AWS oneOrMore }
	Action    oneOrMore
	Resource  string
}

// oneOrMore is a list that is written as a plain text when it has one element.
type oneOrMore []string

// MarshalJSON implements [json.Marshaler].
func (l oneOrMore) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

// Limits of a policy.
const (
	maxPolicyBytes      = 8192
	maxStatements       = 20
	maxActions          = 7  // of a statement
	maxPrincipals       = 50 // of all statements
	maxLabel            = 80
	defaultPolicySuffix = "/SQSDefaultPolicy"
	policyVersion       = "2008-10-17"
)

// permitted are the actions that can be given to others. Each covers the batch
// action of its kind.
var permitted = []string{
	"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*l = make(oneOrMore, 1)
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// checkPolicy holds a policy to be a JSON object within SQS's limits. It has no
// effect, so that nothing more is asked of it.
func checkPolicy(text string) error {
	if _, err := jsonMap(text); err != nil || len(text) > maxPolicyBytes {
		return errValue
	}
	var p policy
	if json.Unmarshal([]byte(text), &p) != nil {
		return errValue
	}
	principals := 0
	for _, s := range p.Statement {
		var known struct {
			Action    oneOrMore
			Principal struct{ AWS oneOrMore }
		}
		_ = json.Unmarshal(s, &known) // of other forms nothing is counted
		if n := len(known.Action); n > maxActions {
			return tooMany("Actions", n, maxActions)
		}
		principals += len(known.Principal.AWS)
	}
	if n := len(p.Statement); n > maxStatements {
		return tooMany("Statements", n, maxStatements)
	}
	if principals > maxPrincipals {
		return tooMany("Principals", principals, maxPrincipals)
	}
	return nil
}

// tooMany refuses a policy with too many of something.
func tooMany(what string, n, most int) error {
	return &AttributeError{Name: policyName, Reason: foundTooMany(what, n, most), Err: ErrOverLimit}
}

func foundTooMany(what string, n, most int) string {
	return fmt.Sprintf("%d %s were found, maximum allowed is %d.", n, what, most)
}

// parsePolicy reads the attribute Policy; an empty one is a new policy.
func (q *Queue) parsePolicy(text string) (policy, error) {
	p := policy{Version: policyVersion, ID: q.arn + defaultPolicySuffix}
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, &AttributeError{Name: policyName, Err: ErrInvalidAttributeValue}
	}
	return p, nil
}

// label returns the Sid of a statement.
func label(s json.RawMessage) string {
	var named struct{ Sid string }
	_ = json.Unmarshal(s, &named) // what is none has no label
	return named.Sid
}

// AddPermission adds to the queue's policy that some accounts may take some
// actions, or "*". It has no effect but to be kept: see the package comment.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter], also for a
// label that the policy has, [queue.ErrMissingParameter], or [ErrOverLimit] for
// more than 7 actions or 20 statements; otherwise those of SetAttributes.
func (q *Queue) AddPermission(ctx context.Context, label string, accounts, actions []string) error {
	if err := checkPermission(label, accounts, actions); err != nil {
		return err
	}
	s := statement{Sid: label, Effect: "Allow", Resource: q.arn}
	for _, a := range accounts {
		s.Principal.AWS = append(s.Principal.AWS, "arn:"+q.scope.Partition+":iam::"+a+":root")
	}
	for _, a := range actions {
		s.Action = append(s.Action, "SQS:"+a)
	}
	return q.editPolicy(ctx, func(p *policy) error {
		if p.at(label) >= 0 {
			return badLabel(label, "Already exists.")
		}
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("broker: internal error: %w", err)
		}
		p.Statement = append(p.Statement, text)
		if n := len(p.Statement); n > maxStatements {
			return overLimit("Statement", n, maxStatements, foundTooMany("Statements", n, maxStatements))
		}
		return nil
	})
}

// RemovePermission removes the permission of that label; with the last one the
// queue has no policy any more. Errors: a [*queue.LimitError] that is
// [queue.ErrInvalidParameter] for a label that the policy doesn't have; otherwise
// those of SetAttributes.
func (q *Queue) RemovePermission(ctx context.Context, label string) error {
	return q.editPolicy(ctx, func(p *policy) error {
		i := p.at(label)
		if i < 0 {
			return badLabel(label, "can't find label.")
		}
		p.Statement = slices.Delete(p.Statement, i, i+1)
		return nil
	})
}

// editPolicy changes the attribute Policy.
func (q *Queue) editPolicy(ctx context.Context, edit func(*policy) error) error {
	return q.change(ctx, func(s *state) error {
		p, err := q.parsePolicy(s.texts[policyName])
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		s.modified = time.Now().UnixMilli()
		if len(p.Statement) == 0 {
			s.setText(policyName, "")
			return nil
		}
		text, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("broker: internal error: %w", err)
		}
		if err := checkPolicy(string(text)); err != nil {
			return refusal(policyName, err)
		}
		s.setText(policyName, string(text))
		return nil
	})
}

// at returns the index of the statement of that label, -1 if there is none.
func (p *policy) at(name string) int {
	return slices.IndexFunc(p.Statement, func(s json.RawMessage) bool { return label(s) == name })
}

func checkPermission(label string, accounts, actions []string) error {
	switch {
	case label == "":
		return missing("Label", "The request must contain the parameter Label.")
	case len(label) > maxLabel || strings.Trim(label, nameCharacters) != "":
		return badLabel(label, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	case len(accounts) == 0:
		return missing("AWSAccountIds", "The request must contain the parameter AWSAccountIds.")
	case len(actions) == 0:
		return missing("Actions", "The request must contain the parameter Actions.")
	case len(actions) > maxActions:
		return overLimit("Actions", len(actions), maxActions, foundTooMany("Actions", len(actions), maxActions))
	}
	for _, a := range accounts {
		if !isAccount(a) {
			return invalid("AWSAccountIds", a, "Value ["+a+"] for parameter PrincipalId is invalid. Reason: Unable to verify.")
		}
	}
	for _, a := range actions {
		if !slices.Contains(permitted, a) {
			return invalid("Actions", a, "Value SQS:"+a+" for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.")
		}
	}
	return nil
}

func badLabel(label, reason string) error {
	return invalid("Label", label, "Value "+label+" for parameter Label is invalid. Reason: "+reason)
}

func overLimit(parameter string, got, most int, reason string) error {
	return &queue.LimitError{Parameter: parameter, Got: got, Max: most, Reason: reason, Err: ErrOverLimit}
}
