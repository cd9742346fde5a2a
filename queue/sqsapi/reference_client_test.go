package sqsapi_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// This file is a client of both protocols, made from their description alone.
// It checks every answer as the SDKs do, and more strictly: members that the
// service doesn't have, wrong types, nulls, empty lists, wrong digests and
// malformed envelopes fail the test, whatever it is about.

// wireMap is an object in the form that the JSON protocol gives it. The Query
// protocol's requests are made of it, and its answers are brought back to it.
type wireMap = map[string]any

const (
	wireBase      = "http://localhost:9324"
	wireAccount   = "000000000000"
	wireNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"
	wireModelled  = "com.amazonaws.sqs#"
	wireCommon    = "com.amazon.coral.service#"
)

// A wireType is the type of a member of an answer.
type wireType struct {
	kind     byte                // s text, n number, b boolean, l list of texts, L list of objects, m map of texts, M map of objects
	xml      string              // the element that stands for it; of a list, for each element
	of       map[string]wireType // the members of an object
	required bool
}

var (
	wireFailure = map[string]wireType{
		"Id": {kind: 's', required: true}, "SenderFault": {kind: 'b', required: true},
		"Code": {kind: 's', required: true}, "Message": {kind: 's'},
	}
	wireIDOnly = map[string]wireType{"Id": {kind: 's', required: true}}
	wireSent   = map[string]wireType{
		"MessageId": {kind: 's', required: true}, "MD5OfMessageBody": {kind: 's', required: true}, "MD5OfMessageAttributes": {kind: 's'},
		"MD5OfMessageSystemAttributes": {kind: 's'}, "SequenceNumber": {kind: 's'},
	}
	wireSentEntry = func() map[string]wireType {
		m := maps.Clone(wireSent)
		m["Id"] = wireType{kind: 's', required: true}
		return m
	}()
	wireValue   = map[string]wireType{"StringValue": {kind: 's'}, "BinaryValue": {kind: 's'}, "DataType": {kind: 's', required: true}}
	wireMessage = map[string]wireType{
		"MessageId": {kind: 's', required: true}, "ReceiptHandle": {kind: 's', required: true},
		"MD5OfBody": {kind: 's', required: true}, "Body": {kind: 's', required: true},
		"Attributes": {kind: 'm', xml: "Attribute"}, "MD5OfMessageAttributes": {kind: 's'},
		"MessageAttributes": {kind: 'M', xml: "MessageAttribute", of: wireValue},
	}
	wireTask = map[string]wireType{
		"TaskHandle": {kind: 's'}, "Status": {kind: 's', required: true}, "SourceArn": {kind: 's', required: true}, "DestinationArn": {kind: 's'},
		"MaxNumberOfMessagesPerSecond": {kind: 'n'}, "ApproximateNumberOfMessagesMoved": {kind: 'n', required: true},
		"ApproximateNumberOfMessagesToMove": {kind: 'n'}, "FailureReason": {kind: 's'}, "StartedTimestamp": {kind: 'n', required: true},
	}
)

// wireBatch is the answer of a batch call.
func wireBatch(action string, of map[string]wireType) map[string]wireType {
	return map[string]wireType{
		"Successful": {kind: 'L', xml: action + "ResultEntry", of: of},
		"Failed":     {kind: 'L', xml: "BatchResultErrorEntry", of: wireFailure},
	}
}

// wireOutputs are the 23 actions and what they answer: nil for nothing at all.
var wireOutputs = map[string]map[string]wireType{
	"AddPermission":                nil,
	"CancelMessageMoveTask":        {"ApproximateNumberOfMessagesMoved": {kind: 'n', required: true}},
	"ChangeMessageVisibility":      nil,
	"ChangeMessageVisibilityBatch": wireBatch("ChangeMessageVisibilityBatch", wireIDOnly),
	"CreateQueue":                  {"QueueUrl": {kind: 's', required: true}},
	"DeleteMessage":                nil,
	"DeleteMessageBatch":           wireBatch("DeleteMessageBatch", wireIDOnly),
	"DeleteQueue":                  nil,
	"GetQueueAttributes":           {"Attributes": {kind: 'm', xml: "Attribute"}},
	"GetQueueUrl":                  {"QueueUrl": {kind: 's', required: true}},
	"ListDeadLetterSourceQueues":   {"queueUrls": {kind: 'l', xml: "QueueUrl", required: true}, "NextToken": {kind: 's'}},
	"ListMessageMoveTasks":         {"Results": {kind: 'L', xml: "ListMessageMoveTasksResultEntry", of: wireTask}},
	"ListQueueTags":                {"Tags": {kind: 'm', xml: "Tag"}},
	"ListQueues":                   {"QueueUrls": {kind: 'l', xml: "QueueUrl"}, "NextToken": {kind: 's'}},
	"PurgeQueue":                   nil,
	"ReceiveMessage":               {"Messages": {kind: 'L', xml: "Message", of: wireMessage}},
	"RemovePermission":             nil,
	"SendMessage":                  wireSent,
	"SendMessageBatch":             wireBatch("SendMessageBatch", wireSentEntry),
	"SetQueueAttributes":           nil,
	"StartMessageMoveTask":         {"TaskHandle": {kind: 's', required: true}},
	"TagQueue":                     nil,
	"UntagQueue":                   nil,
}

// A wireCode is a row of the error catalogue.
type wireCode struct {
	code   string // in Query's answers and in the header x-amzn-query-error
	status int
	common bool // not modelled by the service, so that its type is in the namespace common to all services
}

// wireCatalogue is keyed by the type that JSON gives an error.
var wireCatalogue = map[string]wireCode{
	"BatchEntryIdsNotDistinct":          {code: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", status: 400},
	"BatchRequestTooLong":               {code: "AWS.SimpleQueueService.BatchRequestTooLong", status: 400},
	"EmptyBatchRequest":                 {code: "AWS.SimpleQueueService.EmptyBatchRequest", status: 400},
	"InvalidBatchEntryId":               {code: "AWS.SimpleQueueService.InvalidBatchEntryId", status: 400},
	"TooManyEntriesInBatchRequest":      {code: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", status: 400},
	"MessageNotInflight":                {code: "AWS.SimpleQueueService.MessageNotInflight", status: 400},
	"QueueDeletedRecently":              {code: "AWS.SimpleQueueService.QueueDeletedRecently", status: 400},
	"UnsupportedOperation":              {code: "AWS.SimpleQueueService.UnsupportedOperation", status: 400},
	"QueueDoesNotExist":                 {code: "AWS.SimpleQueueService.NonExistentQueue", status: 400},
	"QueueNameExists":                   {code: "QueueAlreadyExists", status: 400},
	"PurgeQueueInProgress":              {code: "AWS.SimpleQueueService.PurgeQueueInProgress", status: 403},
	"OverLimit":                         {code: "OverLimit", status: 403},
	"RequestThrottled":                  {code: "RequestThrottled", status: 403},
	"InvalidSecurity":                   {code: "InvalidSecurity", status: 403},
	"InvalidAddress":                    {code: "InvalidAddress", status: 404},
	"ReceiptHandleIsInvalid":            {code: "ReceiptHandleIsInvalid", status: 404},
	"ResourceNotFoundException":         {code: "ResourceNotFoundException", status: 404},
	"InvalidAttributeName":              {code: "InvalidAttributeName", status: 400},
	"InvalidAttributeValue":             {code: "InvalidAttributeValue", status: 400},
	"InvalidMessageContents":            {code: "InvalidMessageContents", status: 400},
	"InvalidIdFormat":                   {code: "InvalidIdFormat", status: 400},
	"KmsAccessDenied":                   {code: "KMS.AccessDeniedException", status: 400},
	"KmsDisabled":                       {code: "KMS.DisabledException", status: 400},
	"KmsInvalidKeyUsage":                {code: "KMS.InvalidKeyUsageException", status: 400},
	"KmsInvalidState":                   {code: "KMS.InvalidStateException", status: 400},
	"KmsNotFound":                       {code: "KMS.NotFoundException", status: 400},
	"KmsThrottled":                      {code: "KMS.ThrottlingException", status: 400},
	"KmsOptInRequired":                  {code: "KMS.OptInRequired", status: 403},
	"InvalidParameterValueException":    {code: "InvalidParameterValue", status: 400, common: true},
	"MissingRequiredParameterException": {code: "MissingParameter", status: 400, common: true},
}

// Short names of the commonest.
const (
	wireInvalid   = "InvalidParameterValueException"
	wireMissing   = "MissingRequiredParameterException"
	wireNoQueue   = "QueueDoesNotExist"
	wireBadHandle = "ReceiptHandleIsInvalid"
)

// A wireDesk is a broker and a client of it that speaks one of the protocols. A
// failed step ends the test.
type wireDesk struct {
	t       *testing.T
	ctx     context.Context
	b       *broker.Broker
	do      func(*http.Request) (*http.Response, error)
	query   bool        // speaks Query, otherwise JSON
	get     bool        // puts the parameters of Query in the URL of a GET
	base    string      // scheme and host of requests
	path    string      // of requests
	headers http.Header // further ones
}

// newWireDesk is a desk with a broker in memory, called in this process.
func newWireDesk(t *testing.T, query bool, o broker.Options) *wireDesk {
	b := broker.New(o)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return &wireDesk{t: t, ctx: t.Context(), b: b, do: sqsapi.Client(b).Do, query: query, base: wireBase, path: "/", headers: http.Header{}}
}

// with is another desk whose broker has options.
func (d *wireDesk) with(o broker.Options) *wireDesk { return newWireDesk(d.t, d.query, o) }

// clone is the same desk, to be changed.
func (d *wireDesk) clone() *wireDesk {
	c := *d
	c.headers = d.headers.Clone()
	return &c
}

func (d *wireDesk) at(base string) *wireDesk { c := d.clone(); c.base = base; return c }
func (d *wireDesk) on(path string) *wireDesk { c := d.clone(); c.path = path; return c }
func (d *wireDesk) inJSON() *wireDesk        { c := d.clone(); c.query = false; return c }
func (d *wireDesk) inQuery() *wireDesk       { c := d.clone(); c.query = true; return c }
func (d *wireDesk) viaGET() *wireDesk        { c := d.clone(); c.query, c.get = true, true; return c }
func (d *wireDesk) saying(key, value string) *wireDesk {
	c := d.clone()
	c.headers.Set(key, value)
	return c
}

// as is the desk of another caller: one with that access key, in that region.
// The signature is nobody's.
func (d *wireDesk) as(key, region string) *wireDesk {
	signed := "host;x-amz-date"
	if !d.query {
		signed += ";x-amz-target"
	}
	return d.saying("X-Amz-Date", "20000101T000000Z").saying("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20000101/"+region+
		"/sqs/aws4_request, SignedHeaders="+signed+", Signature="+strings.Repeat("0", 64))
}

// through is the desk whose requests go through a handler, from this machine.
func (d *wireDesk) through(h http.Handler) *wireDesk {
	c := d.clone()
	c.do = func(r *http.Request) (*http.Response, error) {
		r.RequestURI, r.Host = r.URL.RequestURI(), r.URL.Host
		if r.RemoteAddr == "" {
			r.RemoteAddr = "127.0.0.1:1"
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
	return c
}

// pass lets time pass, and what is due then happen.
func (d *wireDesk) pass(time_ time.Duration) {
	time.Sleep(time_)
	synctest.Wait()
}

// A wireRaw is an answer that nobody has looked into.
type wireRaw struct {
	action string
	in     wireMap
	status int
	header http.Header
	body   string
	err    error
}

// request makes the request of an action.
func (d *wireDesk) request(action string, in wireMap) *http.Request {
	d.t.Helper()
	if !d.query {
		body, err := json.Marshal(in)
		require.NoError(d.t, err)
		if in == nil {
			body = []byte("{}")
		}
		return d.post("application/x-amz-json-1.0", string(body), "X-Amz-Target", "AmazonSQS."+action, "X-Amzn-Query-Mode", "true")
	}
	form := wireForm(action, in)
	if d.get {
		r, err := http.NewRequestWithContext(d.ctx, "GET", d.base+d.path+"?"+form.Encode(), nil)
		require.NoError(d.t, err)
		maps.Copy(r.Header, d.headers)
		return r
	}
	return d.post("application/x-www-form-urlencoded; charset=utf-8", form.Encode())
}

// post makes a request of any kind.
func (d *wireDesk) post(contentType, body string, headers ...string) *http.Request {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.ctx, "POST", d.base+d.path, strings.NewReader(body))
	require.NoError(d.t, err)
	r.Header.Set("Content-Type", contentType)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	maps.Copy(r.Header, d.headers.Clone())
	return r
}

// send does a request and reads the whole answer. It may run in any goroutine.
func (d *wireDesk) send(r *http.Request) wireRaw {
	resp, err := d.do(r)
	if err != nil {
		return wireRaw{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return wireRaw{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
}

// raw posts a text as the body of an action's request in JSON, or as the form
// of one in Query.
func (d *wireDesk) raw(action, body string) *wireAnswer {
	d.t.Helper()
	var r *http.Request
	if d.query {
		r = d.post("application/x-www-form-urlencoded", "Action="+action+"&"+body)
	} else {
		r = d.post("application/x-amz-json-1.0", body, "X-Amz-Target", "AmazonSQS."+action)
	}
	a := d.send(r)
	a.action = action
	return d.read(a)
}

// call takes an action and reads the answer.
func (d *wireDesk) call(action string, in wireMap) *wireAnswer {
	d.t.Helper()
	a := d.send(d.request(action, in))
	a.action, a.in = action, in
	return d.read(a)
}

// begin takes an action in a goroutine, and returns when it waits or is done.
func (d *wireDesk) begin(ctx context.Context, action string, in wireMap) <-chan wireRaw {
	d.t.Helper()
	r := d.request(action, in).WithContext(ctx)
	answers := make(chan wireRaw, 1)
	go func() {
		a := d.send(r)
		a.action, a.in = action, in
		answers <- a
	}()
	synctest.Wait()
	return answers
}

// A wireAnswer is an answer, understood.
type wireAnswer struct {
	wireRaw
	out   wireMap    // of status 200
	fault *wireFault // of any other
}

// A wireFault is what an error answer says.
type wireFault struct {
	typ     string // of JSON: its type, with the namespace
	code    string // of Query, or the header that stands for it
	blame   string // Sender or Receiver
	message string
}

var wireUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// read looks into an answer, which must be well-formed.
func (d *wireDesk) read(raw wireRaw) *wireAnswer {
	d.t.Helper()
	require.NoError(d.t, raw.err, "%s", raw.action)
	a := &wireAnswer{wireRaw: raw}
	if d.query {
		d.readXML(a)
	} else {
		d.readJSON(a)
	}
	if a.out != nil {
		d.checkDigests(a)
	}
	return a
}

func (d *wireDesk) readJSON(a *wireAnswer) {
	d.t.Helper()
	require.Equal(d.t, "application/x-amz-json-1.0", a.header.Get("Content-Type"), "%s: %s", a.action, a.body)
	require.Regexp(d.t, wireUUID, a.header.Get("x-amzn-RequestId"), "%s", a.action)
	object := wireMap{}
	if a.body != "" {
		dec := json.NewDecoder(strings.NewReader(a.body))
		dec.UseNumber()
		require.NoError(d.t, dec.Decode(&object), "%s: %s", a.action, a.body)
		require.False(d.t, dec.More(), "%s: %s", a.action, a.body)
		require.NotNil(d.t, object, "%s answered null", a.action)
	}
	if a.status == 200 {
		if wireOutputs[a.action] == nil {
			require.Empty(d.t, a.body, "%s answers nothing", a.action)
		} else {
			require.NotEmpty(d.t, a.body, "%s answers an object", a.action)
		}
		d.checkObject(a.action, wireOutputs[a.action], object)
		a.out = object
		require.Empty(d.t, a.header.Get("x-amzn-query-error"))
		return
	}
	a.fault = &wireFault{}
	a.fault.typ, _ = object["__type"].(string)
	a.fault.message, _ = object["message"].(string)
	require.NotEmpty(d.t, a.fault.typ, "%s: %s", a.action, a.body)
	if header := a.header.Get("x-amzn-query-error"); header != "" {
		var ok bool
		a.fault.code, a.fault.blame, ok = strings.Cut(header, ";")
		require.True(d.t, ok, "x-amzn-query-error: %s", header)
	}
}

// checkObject requires that an object has the members of its type and no others.
func (d *wireDesk) checkObject(where string, members map[string]wireType, object wireMap) {
	d.t.Helper()
	for name, value := range object {
		typ, known := members[name]
		at := where + "." + name
		require.True(d.t, known, "%s is no member: %v", at, value)
		require.NotNil(d.t, value, "%s is null", at)
		switch typ.kind {
		case 's':
			require.IsType(d.t, "", value, at)
		case 'n':
			require.IsType(d.t, json.Number(""), value, at)
			require.Regexp(d.t, `^(0|[1-9][0-9]*)$`, string(value.(json.Number)), "%s is a whole number", at)
		case 'b':
			require.IsType(d.t, true, value, at)
		case 'l', 'L':
			require.IsType(d.t, []any{}, value, at)
			require.True(d.t, len(value.([]any)) > 0 || typ.required, "%s is an empty list", at)
			for _, element := range value.([]any) {
				if typ.kind == 'l' {
					require.IsType(d.t, "", element, at)
				} else {
					require.IsType(d.t, wireMap{}, element, at)
					d.checkObject(at, typ.of, element.(wireMap))
				}
			}
		case 'm', 'M':
			require.IsType(d.t, wireMap{}, value, at)
			require.NotEmpty(d.t, value, "%s is an empty map", at)
			for key, element := range value.(wireMap) {
				if typ.kind == 'm' {
					require.IsType(d.t, "", element, "%s[%s]", at, key)
				} else {
					require.IsType(d.t, wireMap{}, element, "%s[%s]", at, key)
					d.checkObject(at, typ.of, element.(wireMap))
				}
			}
		}
	}
	for name, typ := range members {
		require.True(d.t, !typ.required || object[name] != nil, "%s.%s is required", where, name)
	}
}

// A wireNode is an element of XML.
type wireNode struct {
	XMLName  xml.Name
	Text     string     `xml:",chardata"`
	Children []wireNode `xml:",any"`
}

func (n *wireNode) name() string { return n.XMLName.Local }

// names are those of the children, in order.
func (n *wireNode) names() []string {
	names := []string{}
	for i := range n.Children {
		names = append(names, n.Children[i].name())
	}
	return names
}

// all are the children of a name.
func (n *wireNode) all(name string) (found []*wireNode) {
	for i := range n.Children {
		if n.Children[i].name() == name {
			found = append(found, &n.Children[i])
		}
	}
	return found
}

// one is the only child of a name.
func (n *wireNode) one(t *testing.T, name string) *wireNode {
	t.Helper()
	found := n.all(name)
	require.Len(t, found, 1, "<%s> in <%s>", name, n.name())
	return found[0]
}

// wireTree reads XML.
func wireTree(t *testing.T, text string) *wireNode {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	var root wireNode
	require.NoError(t, dec.Decode(&root), "%s", text)
	rest, err := dec.Token()
	for err == nil {
		space, ok := rest.(xml.CharData)
		require.True(t, ok && len(bytes.TrimSpace(space)) == 0, "something follows the root: %s", text)
		rest, err = dec.Token()
	}
	require.ErrorIs(t, err, io.EOF)
	return &root
}

func (d *wireDesk) readXML(a *wireAnswer) {
	d.t.Helper()
	require.Regexp(d.t, `^text/xml(; *charset=utf-8)?$`, a.header.Get("Content-Type"), "%s: %s", a.action, a.body)
	root := wireTree(d.t, a.body)
	require.Equal(d.t, wireNamespace, root.XMLName.Space, "%s", a.body)
	if a.status != 200 {
		require.Equal(d.t, "ErrorResponse", root.name(), "%s", a.body)
		require.ElementsMatch(d.t, []string{"Error", "RequestId"}, root.names(), "%s", a.body)
		require.Regexp(d.t, wireUUID, root.one(d.t, "RequestId").Text)
		e := root.one(d.t, "Error")
		require.ElementsMatch(d.t, []string{"Type", "Code", "Message", "Detail"}, e.names(), "%s", a.body)
		detail := e.one(d.t, "Detail")
		require.True(d.t, detail.Text == "" && len(detail.Children) == 0, "%s", a.body)
		a.fault = &wireFault{code: e.one(d.t, "Code").Text, blame: e.one(d.t, "Type").Text, message: e.one(d.t, "Message").Text}
		return
	}
	require.Equal(d.t, a.action+"Response", root.name(), "%s", a.body)
	meta := root.one(d.t, "ResponseMetadata")
	require.Equal(d.t, []string{"RequestId"}, meta.names(), "%s", a.body)
	id := meta.Children[0].Text
	require.Regexp(d.t, wireUUID, id)
	if header := a.header.Get("x-amzn-RequestId"); header != "" {
		require.Equal(d.t, header, id, "the two request IDs")
	}
	a.out = wireMap{}
	if wireOutputs[a.action] == nil {
		require.Equal(d.t, []string{"ResponseMetadata"}, root.names(), "%s answers nothing: %s", a.action, a.body)
		return
	}
	require.Equal(d.t, []string{a.action + "Result", "ResponseMetadata"}, root.names(), "%s", a.body)
	a.out = d.object(a.action, wireOutputs[a.action], &root.Children[0])
	d.checkObject(a.action, wireOutputs[a.action], a.out)
}

// object brings an element to the form of JSON.
func (d *wireDesk) object(where string, members map[string]wireType, n *wireNode) wireMap {
	d.t.Helper()
	require.Empty(d.t, strings.TrimSpace(n.Text), "text in %s", where)
	names := map[string]string{} // of members, by element
	for name, typ := range members {
		if typ.xml == "" {
			typ.xml = name
		}
		names[typ.xml] = name
	}
	object := wireMap{}
	for name, typ := range members {
		if typ.kind == 'l' && typ.required {
			object[name] = []any{}
		}
	}
	for i := range n.Children {
		child := &n.Children[i]
		name, known := names[child.name()]
		require.True(d.t, known, "<%s> is no element of %s", child.name(), where)
		require.Equal(d.t, wireNamespace, child.XMLName.Space)
		typ, at := members[name], where+"."+name
		leaf := func(n *wireNode) string {
			require.Empty(d.t, n.Children, "%s is text", at)
			return n.Text
		}
		switch typ.kind {
		case 's', 'n', 'b':
			require.NotContains(d.t, object, name, "%s stands twice", at)
			switch text := leaf(child); typ.kind {
			case 's':
				object[name] = text
			case 'n':
				object[name] = json.Number(text)
			case 'b':
				require.Contains(d.t, []string{"true", "false"}, text, at)
				object[name] = text == "true"
			}
		case 'l', 'L':
			list, _ := object[name].([]any)
			if typ.kind == 'l' {
				object[name] = append(list, leaf(child))
			} else {
				object[name] = append(list, d.object(at, typ.of, child))
			}
		case 'm', 'M':
			m, _ := object[name].(wireMap)
			if m == nil {
				m = wireMap{}
				object[name] = m
			}
			key := "Name"
			if typ.xml == "Tag" {
				key = "Key"
			}
			require.ElementsMatch(d.t, []string{key, "Value"}, child.names(), at)
			k, v := leaf(child.one(d.t, key)), child.one(d.t, "Value")
			require.NotContains(d.t, m, k, "%s has %s twice", at, k)
			if typ.kind == 'm' {
				m[k] = leaf(v)
			} else {
				m[k] = d.object(at, typ.of, v)
			}
		}
	}
	return object
}

// wireForm flattens an action's input as Query does.
func wireForm(action string, in wireMap) url.Values {
	form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
	wireFlatten(form, action, "", in)
	return form
}

// wireLists are the names that Query has for the elements of lists and maps.
var wireLists = map[string]string{
	"AttributeNames": "AttributeName", "MessageSystemAttributeNames": "AttributeName", "MessageAttributeNames": "MessageAttributeName",
	"Attributes": "Attribute", "tags": "Tag", "Tags": "Tag", "TagKeys": "TagKey",
	"MessageAttributes": "MessageAttribute", "MessageSystemAttributes": "MessageSystemAttribute",
	"AWSAccountIds": "AWSAccountId", "Actions": "ActionName",
	"StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue",
}

func wireFlatten(form url.Values, action, prefix string, in wireMap) {
	next := map[string]int{} // two lists may be one in Query
	for _, name := range slices.Sorted(maps.Keys(in)) {
		element := wireLists[name]
		if name == "Entries" {
			element = action + "RequestEntry"
		}
		index := func() string {
			next[element]++
			return prefix + element + "." + strconv.Itoa(next[element])
		}
		switch value := in[name].(type) {
		case nil:
		case []string:
			for _, text := range value {
				form.Set(index(), text)
			}
		case []wireMap:
			for _, object := range value {
				wireFlatten(form, action, index()+".", object)
			}
		case map[string]string:
			key := ".Name"
			if element == "Tag" {
				key = ".Key"
			}
			for _, k := range slices.Sorted(maps.Keys(value)) {
				at := index()
				form.Set(at+key, k)
				form.Set(at+".Value", value[k])
			}
		case wireMap:
			for _, k := range slices.Sorted(maps.Keys(value)) {
				at := index()
				form.Set(at+".Name", k)
				wireFlatten(form, action, at+".Value.", value[k].(wireMap))
			}
		default:
			form.Set(prefix+name, fmt.Sprint(value))
		}
	}
}

// ok takes an action that must succeed.
func (d *wireDesk) ok(action string, in wireMap) wireMap {
	d.t.Helper()
	a := d.call(action, in)
	require.Equal(d.t, 200, a.status, "%s %.300v: %s", action, in, a.body)
	return a.out
}

// missingQueue is the one sentence that the protocols say differently.
func (d *wireDesk) missingQueue() string {
	if d.query {
		return "The specified queue does not exist for this wsdl version."
	}
	return "The specified queue does not exist."
}

// refuse takes an action that must be refused as a row of the catalogue says,
// with that sentence, or any if it is empty. The type may stand after the
// names of others that will do as well, with bars between.
func (d *wireDesk) refuse(typ, sentence, action string, in wireMap) {
	d.t.Helper()
	d.refused(d.call(action, in), typ, sentence)
}

// refused requires that an answer is such an error.
func (d *wireDesk) refused(a *wireAnswer, typ, sentence string) {
	d.t.Helper()
	require.NotNil(d.t, a.fault, "%s %.300v was not refused: %s", a.action, a.in, a.body)
	types := strings.Split(typ, "|")
	for _, t := range types {
		c := wireCatalogue[t]
		require.NotZero(d.t, c, "%s is in the catalogue", t)
		if a.fault.code == c.code {
			typ = t
		}
	}
	c := wireCatalogue[typ]
	hint := fmt.Sprintf("%s %.300v: %d %v %s", a.action, a.in, a.status, a.header, a.body)
	require.Contains(d.t, types, typ, hint)
	require.Equal(d.t, c.code, a.fault.code, hint)
	require.Equal(d.t, "Sender", a.fault.blame, hint)
	require.Equal(d.t, c.status, a.status, hint)
	if !d.query {
		namespace := wireModelled
		if c.common {
			namespace = wireCommon
		}
		require.Equal(d.t, namespace+typ, a.fault.typ, hint)
	}
	if typ == wireNoQueue {
		sentence = d.missingQueue()
	}
	if sentence == "" {
		require.NotEmpty(d.t, a.fault.message, hint)
	} else {
		require.Equal(d.t, sentence, a.fault.message, hint)
	}
}

// queue creates a queue that must come to be. The attribute FifoQueue is added
// where the name asks for it.
func (d *wireDesk) queue(name string, attributes ...string) *wireQueue {
	d.t.Helper()
	if strings.HasSuffix(name, ".fifo") {
		attributes = append(attributes, "FifoQueue", "true")
	}
	in := wireMap{"QueueName": name}
	if len(attributes) > 0 {
		in["Attributes"] = wirePairs(attributes...)
	}
	return &wireQueue{d, d.ok("CreateQueue", in)["QueueUrl"].(string)}
}

// wirePairs makes a map of names and values.
func wirePairs(pairs ...string) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = pair[1]
	}
	return m
}

// A wireQueue is a queue at a desk.
type wireQueue struct {
	d   *wireDesk
	url string
}

// from is the queue at another desk.
func (q *wireQueue) from(d *wireDesk) *wireQueue { return &wireQueue{d, q.url} }

// in adds the queue to an action's input.
func (q *wireQueue) in(in wireMap) wireMap {
	all := maps.Clone(in)
	if all == nil {
		all = wireMap{}
	}
	all["QueueUrl"] = q.url
	return all
}

func (q *wireQueue) call(action string, in wireMap) *wireAnswer {
	q.d.t.Helper()
	return q.d.call(action, q.in(in))
}

func (q *wireQueue) ok(action string, in wireMap) wireMap {
	q.d.t.Helper()
	return q.d.ok(action, q.in(in))
}

func (q *wireQueue) refuse(typ, sentence, action string, in wireMap) {
	q.d.t.Helper()
	q.d.refuse(typ, sentence, action, q.in(in))
}

// send sends a body. On a FIFO queue the group is "g" and the deduplication ID
// made of the body unless more says otherwise.
func (q *wireQueue) send(body string, more ...wireMap) wireMap {
	q.d.t.Helper()
	return q.ok("SendMessage", q.message(body, more...))
}

// message is the input that sends a body.
func (q *wireQueue) message(body string, more ...wireMap) wireMap {
	in := wireMap{"MessageBody": body}
	if strings.HasSuffix(q.url, ".fifo") {
		in["MessageGroupId"] = "g"
		sum := md5.Sum([]byte(body))
		in["MessageDeduplicationId"] = hex.EncodeToString(sum[:])
	}
	for _, m := range more {
		maps.Copy(in, m)
	}
	return in
}

func (q *wireQueue) fill(bodies ...string) {
	q.d.t.Helper()
	for _, body := range bodies {
		q.send(body)
	}
}

// receive receives up to ten at once, unless in says otherwise.
func (q *wireQueue) receive(in wireMap) []wireMap {
	q.d.t.Helper()
	all := wireMap{"MaxNumberOfMessages": 10}
	maps.Copy(all, in)
	return wireObjects(q.ok("ReceiveMessage", all)["Messages"])
}

// wireObjects is a list of objects.
func wireObjects(list any) []wireMap {
	objects := []wireMap{}
	elements, _ := list.([]any)
	for _, e := range elements {
		objects = append(objects, e.(wireMap))
	}
	return objects
}

// one receives exactly one message.
func (q *wireQueue) one(in wireMap) wireMap {
	q.d.t.Helper()
	all := wireMap{"MaxNumberOfMessages": 1}
	maps.Copy(all, in)
	ms := q.receive(all)
	require.Len(q.d.t, ms, 1, "receiving from %s", q.url)
	return ms[0]
}

// take receives one message of that body and returns its handle.
func (q *wireQueue) take(body string, in ...wireMap) string {
	q.d.t.Helper()
	all := wireMap{}
	for _, m := range in {
		maps.Copy(all, m)
	}
	m := q.one(all)
	require.Equal(q.d.t, body, m["Body"])
	return m["ReceiptHandle"].(string)
}

// nothing requires that nothing can be received now.
func (q *wireQueue) nothing() {
	q.d.t.Helper()
	require.Empty(q.d.t, q.receive(nil), "receiving from %s", q.url)
}

// bodies are those of what can be received now.
func (q *wireQueue) bodies(in wireMap) []string {
	q.d.t.Helper()
	return wireBodies(q.receive(in))
}

func wireBodies(ms []wireMap) []string {
	bodies := []string{}
	for _, m := range ms {
		bodies = append(bodies, m["Body"].(string))
	}
	return bodies
}

func (q *wireQueue) delete(handle string) {
	q.d.t.Helper()
	q.ok("DeleteMessage", wireMap{"ReceiptHandle": handle})
}

func (q *wireQueue) change(handle string, seconds int) {
	q.d.t.Helper()
	q.ok("ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": seconds})
}

func (q *wireQueue) set(attributes ...string) {
	q.d.t.Helper()
	q.ok("SetQueueAttributes", wireMap{"Attributes": wirePairs(attributes...)})
}

// attrs returns attributes by name.
func (q *wireQueue) attrs(names ...string) wireMap {
	q.d.t.Helper()
	m, _ := q.ok("GetQueueAttributes", wireMap{"AttributeNames": names})["Attributes"].(wireMap)
	return m
}

func (q *wireQueue) attr(name string) string {
	q.d.t.Helper()
	m := q.attrs(name)
	require.Contains(q.d.t, m, name)
	return m[name].(string)
}

func (q *wireQueue) arn() string { q.d.t.Helper(); return q.attr("QueueArn") }

// counts requires the three counters.
func (q *wireQueue) counts(visible, inFlight, delayed int) {
	q.d.t.Helper()
	require.Equal(q.d.t, wireMap{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}, q.attrs("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"), "counters of %s", q.url)
}

// redrive is the text of a redrive policy to this queue.
func (q *wireQueue) redrive(maxReceives int) string {
	q.d.t.Helper()
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, q.arn(), maxReceives)
}

// poll begins a long poll.
func (q *wireQueue) poll(ctx context.Context, seconds int) <-chan wireRaw {
	q.d.t.Helper()
	return q.d.begin(ctx, "ReceiveMessage", q.in(wireMap{"WaitTimeSeconds": seconds, "MaxNumberOfMessages": 10}))
}

// polled returns the bodies that a poll has brought by now.
func (d *wireDesk) polled(answers <-chan wireRaw) []string {
	d.t.Helper()
	synctest.Wait()
	select {
	case raw := <-answers:
		a := d.read(raw)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		return wireBodies(wireObjects(a.out["Messages"]))
	default:
		require.FailNow(d.t, "the poll still waits")
		return nil
	}
}

// polling requires that a poll still waits.
func (d *wireDesk) polling(answers <-chan wireRaw) {
	d.t.Helper()
	synctest.Wait()
	require.Empty(d.t, answers, "the poll has ended")
}

// wireSorted yields a map in ascending order of its keys.
func wireSorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// wireText, wireNumber and wireBytes are values of message attributes.
func wireText(value string) wireMap { return wireMap{"DataType": "String", "StringValue": value} }

func wireNumber(value string) wireMap { return wireMap{"DataType": "Number", "StringValue": value} }

func wireBytes(value string) wireMap {
	return wireMap{"DataType": "Binary", "BinaryValue": base64.StdEncoding.EncodeToString([]byte(value))}
}

// wireMD5 is the digest of message attributes: for each, in ascending order of
// names, name and type after their lengths as four bytes, big endian; a byte
// that is 1 for text and 2 for binary; and the value after its length. There is
// none of no attributes.
func wireMD5(attributes any) any {
	m, _ := attributes.(wireMap)
	if len(m) == 0 {
		return nil
	}
	sum := md5.New()
	put := func(text string) {
		_ = binary.Write(sum, binary.BigEndian, uint32(len(text)))
		_, _ = io.WriteString(sum, text)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		a := m[name].(wireMap)
		put(name)
		put(a["DataType"].(string))
		if strings.HasPrefix(a["DataType"].(string), "Binary") {
			value, _ := base64.StdEncoding.DecodeString(a["BinaryValue"].(string))
			sum.Write([]byte{2})
			put(string(value))
		} else {
			sum.Write([]byte{1})
			put(a["StringValue"].(string))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func wireMD5Body(body any) string {
	sum := md5.Sum([]byte(body.(string)))
	return hex.EncodeToString(sum[:])
}

// checkDigests does what the SDKs do with each answer.
func (d *wireDesk) checkDigests(a *wireAnswer) {
	d.t.Helper()
	sent := func(in, out wireMap) {
		require.Equal(d.t, wireMD5Body(in["MessageBody"]), out["MD5OfMessageBody"])
		require.Equal(d.t, wireMD5(in["MessageAttributes"]), out["MD5OfMessageAttributes"], "%v", in["MessageAttributes"])
		require.Equal(d.t, wireMD5(in["MessageSystemAttributes"]), out["MD5OfMessageSystemAttributes"], "%v", in["MessageSystemAttributes"])
		require.Regexp(d.t, wireUUID, out["MessageId"])
	}
	switch a.action {
	case "SendMessage":
		if a.in != nil {
			sent(a.in, a.out)
		}
	case "SendMessageBatch":
		entries, _ := a.in["Entries"].([]wireMap)
		for _, out := range wireObjects(a.out["Successful"]) {
			for _, in := range entries {
				if in["Id"] == out["Id"] {
					sent(in, out)
				}
			}
		}
	case "ReceiveMessage":
		for _, m := range wireObjects(a.out["Messages"]) {
			require.Equal(d.t, wireMD5Body(m["Body"]), m["MD5OfBody"])
			require.Equal(d.t, wireMD5(m["MessageAttributes"]), m["MD5OfMessageAttributes"], "%v", m["MessageAttributes"])
			require.Regexp(d.t, wireUUID, m["MessageId"])
			handle := m["ReceiptHandle"].(string)
			require.Regexp(d.t, `^[A-Za-z0-9+/=]+$`, handle, "a handle is base64 or hex")
			require.LessOrEqual(d.t, len(handle), 1024)
		}
	}
}

// wireEnded reports whether an error is that of a context that ended.
func wireEnded(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
