package wire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// A errorCode is a row of the error catalogue.
type errorCode struct {
	code   string // in Query's answers and in the header x-amzn-query-error
	status int
	common bool // not modelled by the service, so that its type is in the namespace common to all services
}

// catalogue is keyed by the type that JSON gives an error.
var catalogue = map[string]errorCode{
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

// Short names of the commonest errors.
const (
	invalid   = "InvalidParameterValueException"
	missing   = "MissingRequiredParameterException"
	noQueue   = "QueueDoesNotExist"
	badHandle = "ReceiptHandleIsInvalid"
)

// missingQueue is the one sentence that the protocols say differently.
func (d *desk) missingQueue() string {
	if d.query {
		return "The specified queue does not exist for this wsdl version."
	}
	return "The specified queue does not exist."
}

// refused requires that an answer is such an error.
func (d *desk) refused(a *answer, typ, sentence string) {
	d.t.Helper()
	require.NotNil(d.t, a.fault, "%s %s was not refused: %d %s", a.action, brief(a.in), a.status, brief(a.body))
	types := strings.Split(typ, "|")
	for _, t := range types {
		c := catalogue[t]
		require.NotZero(d.t, c, "%s is in the catalogue", t)
		if a.fault.code == c.code {
			typ = t
		}
	}
	hint := fmt.Sprintf("%s %s: %d %s %s", a.action, brief(a.in), a.status, a.header.Get("x-amzn-query-error"), brief(a.body))
	if shape := a.fault.shape(); catalogue[typ].code != a.fault.code && slices.Contains(types, shape) {
		d.flaw(ofErrors, "the code of %s is %q instead of %q", shape, a.fault.code, catalogue[shape].code)
		a.fault.code, typ = catalogue[shape].code, shape
	}
	c := catalogue[typ]
	require.Contains(d.t, types, typ, hint)
	require.Equal(d.t, c.code, a.fault.code, hint)
	require.Equal(d.t, "Sender", a.fault.blame, hint)
	require.Equal(d.t, c.status, a.status, hint)
	if !d.query {
		namespace := modelled
		if c.common {
			namespace = unmodelled
		}
		if namespace+typ != a.fault.typ {
			d.flaw(ofErrors, "the type of an error is %s instead of %s", a.fault.typ, namespace+typ)
		}
	}
	switch {
	case typ == noQueue:
		if a.fault.message != d.missingQueue() {
			d.flaw(ofErrors, "a missing queue is told as %q instead of %q", a.fault.message, d.missingQueue())
		}
	case sentence == "":
		require.NotEmpty(d.t, a.fault.message, hint)
	default:
		require.Equal(d.t, sentence, a.fault.message, hint)
	}
}

// common requires an error of the JSON protocol that the service doesn't model.
func (d *desk) common(a *answer, name string, status int) {
	d.t.Helper()
	require.NotNil(d.t, a.fault, "%d %.300s", a.status, a.body)
	require.Equal(d.t, unmodelled+name, a.fault.typ, "%.300s", a.body)
	require.Equal(d.t, status, a.status, "%.300s", a.body)
}

// faultIs requires an error that the service doesn't model, in whichever protocol.
func (d *desk) faultIs(raw rawAnswer, name, code, blame string, status int) *fault {
	d.t.Helper()
	a := d.read(raw)
	require.NotNil(d.t, a.fault, "%s", a.body)
	require.Equal(d.t, status, a.status, "%s", a.body)
	require.Equal(d.t, code, a.fault.code, "%s %v", a.body, a.header)
	require.Equal(d.t, blame, a.fault.blame, "%s %v", a.body, a.header)
	if !d.query {
		require.Equal(d.t, unmodelled+name, a.fault.typ)
	}
	require.NotEmpty(d.t, a.fault.message)
	return a.fault
}
