package broker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// permit adds a permission that must be taken.
func (q *refQueue) permit(label string, accounts, actions []string) {
	q.d.t.Helper()
	require.NoError(q.d.t, q.AddPermission(q.d.ctx, label, accounts, actions))
}

// A refStatement is one of a policy, with lists where they may be.
type refStatement struct {
	Sid       string
	Effect    string
	Principal any
	Action    any
	Resource  string
}

// statements returns those of the queue's policy.
func (q *refQueue) statements() []refStatement {
	q.d.t.Helper()
	var policy struct{ Statement []refStatement }
	require.NoError(q.d.t, json.Unmarshal([]byte(q.attr("Policy")), &policy))
	return policy.Statement
}

// sids returns the labels of the queue's statements.
func (q *refQueue) sids() []string {
	q.d.t.Helper()
	sids := []string{}
	for _, s := range q.statements() {
		sids = append(sids, s.Sid)
	}
	return sids
}

var refActions = []string{
	"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
}

var referencePermissions = []referenceRow{
	{"4.7/in-the-policy", "A permission is a statement of the Policy attribute, which is made in the form of old if there is none.", func(d *refDesk) {
		q := d.in(broker.Scope{Account: "123456789012", Region: "eu-west-1"}).queue("jobs")
		q.permit("crossaccount", []string{"111111111111"}, []string{"SendMessage"})
		require.JSONEq(d.t, `{
			"Version": "2008-10-17",
			"Id": "arn:aws:sqs:eu-west-1:123456789012:jobs/SQSDefaultPolicy",
			"Statement": [{
				"Sid": "crossaccount",
				"Effect": "Allow",
				"Principal": {"AWS": "arn:aws:iam::111111111111:root"},
				"Action": "SQS:SendMessage",
				"Resource": "arn:aws:sqs:eu-west-1:123456789012:jobs"
			}]}`, q.attr("Policy"))
	}},
	{"4.7/lists", "Several accounts or actions are a list, a single one is plain text.", func(d *refDesk) {
		q := d.queue("jobs")
		q.permit("both", []string{"111111111111", "222222222222"}, []string{"SendMessage", "ReceiveMessage"})
		q.permit("accounts", []string{"111111111111", "222222222222"}, []string{"SendMessage"})
		q.permit("actions", []string{"111111111111"}, []string{"SendMessage", "ReceiveMessage"})
		q.permit("every", []string{"111111111111"}, []string{"*"})
		all := map[string]refStatement{}
		for _, s := range q.statements() {
			require.Equal(d.t, "Allow", s.Effect)
			require.Equal(d.t, q.ARN(), s.Resource)
			all[s.Sid] = s
		}
		require.Len(d.t, all, 4)
		accounts := []any{"arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"}
		actions := []any{"SQS:SendMessage", "SQS:ReceiveMessage"}
		require.ElementsMatch(d.t, accounts, all["both"].Principal.(map[string]any)["AWS"])
		require.ElementsMatch(d.t, actions, all["both"].Action)
		require.ElementsMatch(d.t, accounts, all["accounts"].Principal.(map[string]any)["AWS"])
		require.Equal(d.t, "SQS:SendMessage", all["accounts"].Action)
		require.Equal(d.t, map[string]any{"AWS": "arn:aws:iam::111111111111:root"}, all["actions"].Principal)
		require.ElementsMatch(d.t, actions, all["actions"].Action)
		require.Equal(d.t, "SQS:*", all["every"].Action)
	}},
	{"4.7/joins-the-policy", "A permission joins the statements that are there, and the policy's are the user's to remove.", func(d *refDesk) {
		q := d.queue("jobs", "Policy", refPolicy)
		q.permit("more", []string{"111111111111"}, []string{"SendMessage"})
		require.ElementsMatch(d.t, []string{"own", "more"}, q.sids())
		require.NoError(d.t, q.RemovePermission(d.ctx, "more"))
		require.Equal(d.t, []string{"own"}, q.sids())
		q.set("Policy", "")
		q.permit("again", []string{"111111111111"}, []string{"SendMessage"})
		require.Equal(d.t, []string{"again"}, q.sids())
	}},
	{"4.7/same-label", "A label is given once.", func(d *refDesk) {
		q := d.queue("jobs", "Policy", refPolicy)
		q.permit("label", []string{"111111111111"}, []string{"SendMessage"})
		before := q.attr("Policy")
		err := q.AddPermission(d.ctx, "label", []string{"222222222222"}, []string{"ReceiveMessage"})
		d.says(err, queue.ErrInvalidParameter, "Value label for parameter Label is invalid. Reason: Already exists.")
		err = q.AddPermission(d.ctx, "own", []string{"222222222222"}, []string{"ReceiveMessage"})
		d.says(err, queue.ErrInvalidParameter, "Value own for parameter Label is invalid. Reason: Already exists.")
		require.Equal(d.t, before, q.attr("Policy"))
		q.permit("Label", []string{"111111111111"}, []string{"SendMessage"})
	}},
	{"4.7/unknown-label", "Removing a permission by a label that isn't there is refused.", func(d *refDesk) {
		q := d.queue("jobs")
		sentence := "Value label for parameter Label is invalid. Reason: can't find label."
		d.says(q.RemovePermission(d.ctx, "label"), queue.ErrInvalidParameter, sentence)
		q.permit("other", []string{"111111111111"}, []string{"SendMessage"})
		d.says(q.RemovePermission(d.ctx, "label"), queue.ErrInvalidParameter, sentence)
		require.NoError(d.t, q.RemovePermission(d.ctx, "other"))
		d.says(q.RemovePermission(d.ctx, "other"), queue.ErrInvalidParameter, "Value other for parameter Label is invalid. Reason: can't find label.")
	}},
	{"4.7/last-removes-policy", "Removing the last statement removes the Policy attribute.", func(d *refDesk) {
		q := d.queue("jobs")
		q.permit("a", []string{"111111111111"}, []string{"SendMessage"})
		q.permit("b", []string{"111111111111"}, []string{"SendMessage"})
		require.NoError(d.t, q.RemovePermission(d.ctx, "a"))
		require.Equal(d.t, []string{"b"}, q.sids())
		require.NoError(d.t, q.RemovePermission(d.ctx, "b"))
		q.lacks("Policy")
	}},
	{"4.7/seven-actions", "A statement holds up to 7 actions.", func(d *refDesk) {
		q := d.queue("jobs")
		q.permit("seven", []string{"111111111111"}, refActions[:7])
		err := q.AddPermission(d.ctx, "eight", []string{"111111111111"}, refActions)
		d.says(err, broker.ErrOverLimit, "8 Actions were found, maximum allowed is 7.")
		require.Equal(d.t, []string{"seven"}, q.sids())
	}},
	{"4.7/twenty-statements", "A policy holds up to 20 statements.", func(d *refDesk) {
		q := d.queue("jobs")
		for i := range 20 {
			q.permit(fmt.Sprintf("label-%d", i), []string{"111111111111"}, []string{"SendMessage"})
		}
		err := q.AddPermission(d.ctx, "label-20", []string{"111111111111"}, []string{"SendMessage"})
		d.says(err, broker.ErrOverLimit, "21 Statements were found, maximum allowed is 20.")
		require.Len(d.t, q.sids(), 20)
		require.NoError(d.t, q.RemovePermission(d.ctx, "label-7"))
		q.permit("label-20", []string{"111111111111"}, []string{"SendMessage"})
	}},
	{"4.7/actions", "An action is the name of a call or the star; the batch calls have none of their own.", func(d *refDesk) {
		q := d.queue("jobs")
		for i, action := range append([]string{"*"}, refActions...) {
			q.permit(fmt.Sprintf("label-%d", i), []string{"111111111111"}, []string{action})
		}
		before := q.attr("Policy")
		for _, action := range []string{"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "Nothing", "sendmessage", ""} {
			err := q.AddPermission(d.ctx, "bad", []string{"111111111111"}, []string{"SendMessage", action})
			require.ErrorIs(d.t, err, queue.ErrInvalidParameter, "%q", action)
		}
		require.Equal(d.t, before, q.attr("Policy"))
	}},
	{"4.7/label-form", "A label has 1 to 80 characters of those of names.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, label := range []string{"a", "-_aZ09", strings.Repeat("l", 80)} {
			q.permit(label, []string{"111111111111"}, []string{"SendMessage"})
		}
		for _, label := range []string{strings.Repeat("l", 81), "a b", "a.b", "ä", "a/b"} {
			err := q.AddPermission(d.ctx, label, []string{"111111111111"}, []string{"SendMessage"})
			require.ErrorIs(d.t, err, queue.ErrInvalidParameter, "%q", label)
		}
		require.Error(d.t, q.AddPermission(d.ctx, "", []string{"111111111111"}, []string{"SendMessage"}))
		require.Len(d.t, q.sids(), 3)
	}},
	{"4.7/bad-policy", "A Policy that is no JSON is refused.", func(d *refDesk) {
		q := d.queue("jobs", "Policy", refPolicy)
		for _, text := range []string{"x", "{", `{"Version":`, refPolicy + "}", "'a'"} {
			d.blames(q.trySet("Policy", text), broker.ErrInvalidAttributeValue, "Policy", "%q", text)
			d.blames(d.try("more", "Policy", text), broker.ErrInvalidAttributeValue, "Policy", "%q", text)
		}
		require.JSONEq(d.t, refPolicy, q.attr("Policy"))
	}},
	{"4.7/policy-size", "A Policy has up to 8192 bytes.", func(d *refDesk) {
		q := d.queue("jobs")
		sized := func(n int) string {
			pad := strings.Replace(refPolicy, `"own"`, `"`+strings.Repeat("s", n-len(refPolicy)+len("own"))+`"`, 1)
			require.Len(d.t, pad, n)
			return pad
		}
		q.set("Policy", sized(8192))
		require.Error(d.t, q.trySet("Policy", sized(8193)))
		require.JSONEq(d.t, sized(8192), q.attr("Policy"))
	}},
	{"4.7/limits-of-given-policies", "A Policy that is set as a whole has the same limits: 20 statements, 7 actions in each, 50 principals.", func(d *refDesk) {
		q := d.queue("jobs")
		listed := func(n int, of string) string {
			var texts []string
			for i := range n {
				texts = append(texts, strings.ReplaceAll(of, "%", fmt.Sprintf("%02d", i)))
			}
			return strings.Join(texts, ",")
		}
		policy := func(statements string) string { return `{"Version":"2012-10-17","Statement":[` + statements + `]}` }
		statement := func(sid, principals, actions string) string {
			return `{"Sid":"` + sid + `","Effect":"Allow","Principal":{"AWS":[` + principals + `]},"Action":[` + actions + `],"Resource":"*"}`
		}
		const account, action = `"1111111111%"`, `"SQS:SendMessage"`
		actions := func(n int) string { return `"SQS:` + strings.Join(refActions[:n], `","SQS:`) + `"` }
		for _, c := range []struct{ fits, exceeds string }{
			{policy(listed(20, statement("s%", account, action))), policy(listed(21, statement("s%", account, action)))},
			{policy(statement("s", listed(1, account), actions(7))), policy(statement("s", listed(1, account), actions(8)))},
			{policy(statement("s", listed(50, account), action)), policy(statement("s", listed(51, account), action))},
		} {
			q.set("Policy", c.fits)
			err := q.trySet("Policy", c.exceeds)
			require.Error(d.t, err, c.exceeds)
			require.True(d.t, errors.Is(err, broker.ErrOverLimit) || errors.Is(err, broker.ErrInvalidAttributeValue), "%v", err)
			require.JSONEq(d.t, c.fits, q.attr("Policy"))
		}
	}},
	{"4.7/kept-over-restart", "Permissions are the same after a restart.", func(d *refDesk) {
		d = d.durable()
		q := d.queue("jobs")
		q.permit("a", []string{"111111111111"}, []string{"SendMessage"})
		q.permit("b", []string{"222222222222"}, []string{"*"})
		require.NoError(d.t, q.RemovePermission(d.ctx, "a"))
		before := q.attr("Policy")
		d.restart(time.Minute)
		q = d.get("jobs")
		require.Equal(d.t, before, q.attr("Policy"))
		require.NoError(d.t, q.RemovePermission(d.ctx, "b"))
		q.lacks("Policy")
	}},
}
