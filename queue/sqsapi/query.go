package sqsapi

import (
	"net/http"
	"path"
	"reflect"
	"strings"
)

// The Query protocol, which SDKs spoke until 2023: parameters in the URL or in a
// form, answers in XML. A queue may be named by the path.
const (
	formType = "application/x-www-form-urlencoded"
	xmlType  = "text/xml"
)

// answerQuery answers a request in this protocol.
func (x *exchange) answerQuery(refused error, id string) reply {
	if refused != nil {
		return failQuery(refused, id)
	}
	var w xmlWriter
	action, out, err := x.callQuery()
	if err != nil {
		return failQuery(err, id)
	}
	root := action + "Response"
	w.WriteString("<" + root + ` xmlns="` + xmlNamespace + `">`)
	if _, none := out.(*nothing); !none {
		var result xmlWriter
		result.structure(reflect.ValueOf(out).Elem())
		if result.Len() == 0 {
			w.WriteString("<" + action + "Result/>")
		} else {
			w.open(action + "Result")
			w.Write(result.Bytes())
			w.close(action + "Result")
		}
	}
	w.WriteString("<ResponseMetadata>")
	w.element("RequestId", id)
	w.WriteString("</ResponseMetadata>")
	w.close(root)
	return reply{
		status: http.StatusOK,
		header: http.Header{"Content-Type": {xmlType}},
		body:   w.Bytes(),
	}
}

func (x *exchange) callQuery() (name string, out any, err error) {
	r := x.r
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return "", nil, &failure{unknownOperationAction, "The method " + r.Method + " is not valid for this endpoint."}
	}
	body, err := x.body()
	if err != nil {
		return "", nil, err
	}
	parameters := r.URL.RawQuery
	if len(body) > 0 && isForm(r) && r.Method == http.MethodPost {
		parameters += "&" + string(body) // they come later, and so count
	}
	f, err := parseForm(parameters)
	if err != nil {
		return "", nil, err
	}
	if a := f.get("Action"); a != nil {
		name = a.text
	}
	if name == "" {
		if r.Method == http.MethodGet {
			return "", nil, errNoAction
		}
		return "", nil, &failure{missingAction, "The request must contain the parameter Action."}
	}
	queuePath := strings.Trim(path.Clean("/"+r.URL.Path), "/") // as a signature sees it
	do, known := actions[name]
	if !known || do.ofAccount && queuePath != "" {
		return "", nil, unknownOperation(name)
	}
	if queuePath != "" {
		if !strings.Contains(queuePath, "/") {
			return "", nil, &failure{invalidAddress, "The address " + r.URL.Path + " is not valid for this endpoint."}
		}
		if q := f.get("QueueUrl"); q == nil || q.text == "" {
			f.parts["QueueUrl"] = &form{text: queuePath, given: true}
		}
	}
	c := x.call(func(in any) error {
		err := bindForm(in, f)
		f = nil // a long poll needs it no more
		return err
	})
	c.query = true
	out, err = do.perform(c)
	return name, out, err
}

func isForm(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), formType)
}

// errNoAction is answered as SQS does, in a form of its own.
var errNoAction = &failure{unknownOperationAction, ""}

// failQuery writes an error.
func failQuery(err error, id string) reply {
	var w xmlWriter
	header := http.Header{"Content-Type": {xmlType}}
	if err == errNoAction {
		w.WriteString("<UnknownOperationException/>")
		return reply{status: http.StatusNotFound, header: header, body: w.Bytes(), err: err}
	}
	f := failureOf(err)
	message := f.message
	if f.errorType == queueDoesNotExist && message == noQueue {
		message = noQueueQuery
	}
	w.WriteString(`<ErrorResponse xmlns="` + xmlNamespace + `"><Error>`)
	w.element("Type", f.fault())
	w.element("Code", f.code)
	w.element("Message", message)
	w.WriteString("<Detail/></Error>")
	w.element("RequestId", id)
	w.close("ErrorResponse")
	return reply{status: f.status, header: header, body: w.Bytes(), err: err}
}
