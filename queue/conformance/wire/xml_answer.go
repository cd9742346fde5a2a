package wire

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

const (
	xmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"
	modelled     = "com.amazonaws.sqs#"        // the namespace of the types of the service's own errors
	unmodelled   = "com.amazon.coral.service#" // and of those common to all services
)

var xmlContent = regexp.MustCompile(`^text/xml(; *charset=utf-8)?$`)

func (d *desk) readXML(a *answer) {
	d.t.Helper()
	if got := a.header.Get("Content-Type"); !xmlContent.MatchString(got) {
		d.flaw(ofEnvelopes, "the content type of XML is %q", got)
	}
	root := tree(d.t, a.body)
	if root.XMLName.Space != xmlNamespace {
		d.flaw(ofEnvelopes, "the namespace of XML is %q", root.XMLName.Space)
	}
	if a.status != 200 {
		d.readXMLError(a, root)
		return
	}
	require.Equal(d.t, a.action+"Response", root.name(), "%s", brief(a.body))
	d.checkRequestID(a, root.all("ResponseMetadata"))
	names := []string{a.action + "Result", "ResponseMetadata"}
	a.out = object{}
	if outputs[a.action] == nil {
		names = names[1:]
	} else if results := root.all(a.action + "Result"); len(results) > 0 {
		a.out = d.object(a.action, outputs[a.action], results[0])
		d.checkObject(a.action, outputs[a.action], a.out)
	}
	if got := root.names(); !slices.Equal(names, got) {
		d.flaw(ofEnvelopes, "the answer of %s is %v instead of %v", a.action, got, names)
	}
}

// checkRequestID requires one request ID in an answer's metadata, the same as in the
// header if there is one.
func (d *desk) checkRequestID(a *answer, metadata []*node) {
	d.t.Helper()
	if len(metadata) != 1 || !slices.Equal([]string{"RequestId"}, metadata[0].names()) {
		d.flaw(ofEnvelopes, "the answer of %s has no ResponseMetadata with a RequestId", a.action)
		return
	}
	id := metadata[0].Children[0].Text
	if !uuid.MatchString(id) {
		d.flaw(ofEnvelopes, "RequestId is %q, which is no UUID", id)
	}
	if header := a.header.Get("x-amzn-RequestId"); header != "" && header != id {
		d.flaw(ofEnvelopes, "the request ID is %s, and in the header %s", id, header)
	}
}

func (d *desk) readXMLError(a *answer, root *node) {
	d.t.Helper()
	require.Equal(d.t, "ErrorResponse", root.name(), "%d %s", a.status, brief(a.body))
	e := root.one(d.t, "Error")
	id := root.all("RequestId")
	if len(root.Children) != 2 || len(id) != 1 || !uuid.MatchString(id[0].Text) {
		d.flaw(ofEnvelopes, "an error is not Error and RequestId, a UUID: %s", brief(a.body))
	}
	detail := e.all("Detail")
	if len(e.Children) != 4 || len(detail) != 1 || detail[0].Text != "" || len(detail[0].Children) > 0 {
		d.flaw(ofEnvelopes, "an error is not Type, Code, Message and an empty Detail: %s", brief(a.body))
	}
	a.fault = &fault{code: e.one(d.t, "Code").Text, message: e.one(d.t, "Message").Text, blame: "Sender"}
	if blame := e.all("Type"); len(blame) > 0 || d.strict(ofEnvelopes) {
		a.fault.blame = e.one(d.t, "Type").Text
	}
}

// object brings an element to the form of JSON.
func (d *desk) object(where string, members map[string]memberType, n *node) object {
	d.t.Helper()
	if strings.TrimSpace(n.Text) != "" {
		d.flaw(ofMembers, "text in %s", where)
	}
	names := map[string]string{} // of members, by element
	o := object{}
	for name, typ := range members {
		names[typ.element(name)] = name
		if typ.kind == 'l' && typ.required {
			o[name] = []any{}
		}
	}
	for i := range n.Children {
		child := &n.Children[i]
		name, known := names[child.name()]
		if !known {
			d.flaw(ofMembers, "<%s> is no element of %s", child.name(), where)
			continue
		}
		if child.XMLName.Space != xmlNamespace {
			d.flaw(ofEnvelopes, "the namespace of <%s> is %q", child.name(), child.XMLName.Space)
		}
		d.addMember(o, where+"."+name, name, members[name], child)
	}
	return o
}

// addMember brings an element of an object, or one of a list or map, to the form of
// JSON.
func (d *desk) addMember(o object, at, name string, typ memberType, n *node) {
	d.t.Helper()
	leaf := func(n *node) string {
		if len(n.Children) > 0 {
			d.flaw(ofMembers, "%s is text", at)
		}
		return n.Text
	}
	switch typ.kind {
	case 's', 'n', 'b':
		if o[name] != nil {
			d.flaw(ofMembers, "%s stands twice", at)
		}
		switch text := leaf(n); typ.kind {
		case 's':
			o[name] = text
		case 'n':
			o[name] = json.Number(text)
		case 'b':
			if text != "true" && text != "false" {
				d.flaw(ofMembers, "%s is true or false: %q", at, text)
			}
			o[name] = text == "true"
		}
	case 'l':
		list, _ := o[name].([]any)
		o[name] = append(list, leaf(n))
	case 'L':
		list, _ := o[name].([]any)
		o[name] = append(list, d.object(at, typ.of, n))
	case 'm', 'M':
		m, _ := o[name].(object)
		if m == nil {
			m = object{}
			o[name] = m
		}
		key := "Name"
		if typ.xml == "Tag" {
			key = "Key"
		}
		if len(n.Children) != 2 {
			d.flaw(ofMembers, "%s has other elements than %s and Value", at, key)
		}
		k, v := leaf(n.one(d.t, key)), n.one(d.t, "Value")
		if m[k] != nil {
			d.flaw(ofMembers, "%s has %s twice", at, k)
		}
		if typ.kind == 'm' {
			m[k] = leaf(v)
		} else {
			m[k] = d.object(at, typ.of, v)
		}
	}
}
