package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// A place is where an endpoint's queues belong, as their URLs and ARNs tell.
type place struct {
	origin                     string // of URLs: scheme and host
	path                       string // of URLs, up to the name
	partition, region, account string
}

// abilities are what rows can ask of some endpoints only; see wire.Target.
type abilities struct {
	protocols                 wire.Protocols
	hosts, unchecked, callers bool
}

// otherRegion and otherAccount are somebody else's.
const (
	otherRegion  = "eu-west-1"
	otherAccount = "111111111111"
)

// probe learns where the endpoint's queues belong and what it can do, by means of a
// queue that is gone afterwards. The error is that it can't be reached, or speaks
// none of the protocols.
func (e *endpoint) probe(ctx context.Context, name string, protocols wire.Protocols) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	q, address, err := e.createProbe(ctx, name, protocols)
	if err != nil {
		return err
	}
	defer e.delete(context.WithoutCancel(ctx), q, address)
	if err := e.locate(ctx, q, address, name); err != nil {
		return err
	}

	get := q
	get.action, get.json, get.form = "GetQueueUrl", `{"QueueName":"`+name+`"}`, "QueueName="+name
	answers := func(q question) bool {
		status, _, err := e.ask(ctx, q)
		return err == nil && status == 200
	}
	e.can.hosts = true
	for _, host := range []string{"localhost:1", "sqs.us-east-1.amazonaws.com"} {
		get.host = host
		e.can.hosts = e.can.hosts && answers(get)
	}
	get.host, get.authorization = "", e.unsound(e.signer.key, e.signer.region)
	e.can.unchecked = answers(get)
	e.can.callers = e.can.unchecked && e.signer.region == wire.Region && e.takesCallers(ctx, q)
	return nil
}

// createProbe creates a queue, in each of the protocols that the endpoint speaks. It
// returns the question of one of them, and the queue's URL.
func (e *endpoint) createProbe(ctx context.Context, name string, protocols wire.Protocols) (q question, address string, err error) {
	var refused string
	for _, p := range protocols.Each() {
		try := question{action: "CreateQueue", json: `{"QueueName":"` + name + `"}`, form: "QueueName=" + name, query: p == wire.Query}
		status, text, err := e.ask(ctx, try)
		if err != nil {
			return q, "", err
		}
		if found := urlIn(text); status == 200 && found != "" {
			e.can.protocols |= p
			if address == "" {
				q, address = try, found
			}
		} else if refused == "" {
			refused = fmt.Sprintf("it answers CreateQueue with status %d, %.200s", status, text)
		}
	}
	if address == "" {
		return q, "", errors.New(refused)
	}
	return q, address, nil
}

// locate learns the endpoint's place from the URL and the ARN of a queue.
func (e *endpoint) locate(ctx context.Context, q question, address, name string) error {
	u, err := url.Parse(address)
	if err != nil || !strings.HasSuffix(u.Path, "/"+name) {
		return fmt.Errorf("the URL of the queue %s is %q", name, address)
	}
	e.place = place{origin: u.Scheme + "://" + u.Host, path: strings.TrimSuffix(u.Path, name), partition: "aws", region: e.signer.region, account: wire.Account}
	segments := strings.Split(u.Path, "/")
	if account := segments[len(segments)-2]; twelveDigits.MatchString(account) {
		e.place.account = account
	}
	if m := arnForm.FindStringSubmatch(e.arn(ctx, q, address)); m != nil {
		e.place.partition, e.place.region, e.place.account = m[1], m[2], m[3]
	}
	return nil
}

// arn asks for a queue's ARN, as the question q is asked.
func (e *endpoint) arn(ctx context.Context, q question, address string) string {
	q.action = "GetQueueAttributes"
	q.json = `{"QueueUrl":"` + address + `","AttributeNames":["QueueArn"]}`
	q.form = "QueueUrl=" + url.QueryEscape(address) + "&AttributeName.1=QueueArn"
	_, text, _ := e.ask(ctx, q)
	return arnForm.FindString(text)
}

// delete deletes a queue, as the question q is asked. It is no use to fail.
func (e *endpoint) delete(ctx context.Context, q question, address string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q.action = "DeleteQueue"
	q.json = `{"QueueUrl":"` + address + `"}`
	q.form = "QueueUrl=" + url.QueryEscape(address)
	_, _, _ = e.ask(ctx, q)
}

// takesCallers reports whether account and region are those of a signature, however
// unsound.
func (e *endpoint) takesCallers(ctx context.Context, q question) bool {
	q.authorization = e.unsound(otherAccount, otherRegion)
	status, text, err := e.ask(ctx, q)
	address := urlIn(text)
	if err != nil || status != 200 || address == "" {
		return false
	}
	arn := e.arn(ctx, q, address)
	taken := strings.Contains(arn, ":"+otherRegion+":"+otherAccount+":")
	if taken {
		e.delete(ctx, q, address) // otherwise it is the probe itself
	}
	return taken
}

// unsound is the header of a signature that nobody has made.
func (e *endpoint) unsound(key, region string) string {
	return "AWS4-HMAC-SHA256 Credential=" + key + "/" + time.Now().UTC().Format("20060102") + "/" + region +
		"/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)
}

var (
	twelveDigits = regexp.MustCompile(`^[0-9]{12}$`)
	arnForm      = regexp.MustCompile(`arn:([a-z-]+):sqs:([a-z0-9-]*):([0-9]{12}):[A-Za-z0-9_-]+(?:\.fifo)?`)
	queueURL     = regexp.MustCompile(`(?:"QueueUrl"\s*:\s*"|<QueueUrl>)([^"<]+)`)
)

// urlIn returns the URL of a queue that an answer tells, in either protocol.
func urlIn(text string) string {
	m := queueURL.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], `\/`, "/")
}
