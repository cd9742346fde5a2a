package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// beyond are the rows of the catalogue that no broker brings about, and why.
var beyond = map[string]string{
	"MessageNotInflight":   "changing the visibility of a visible message succeeds, and SQS too was never seen to answer this",
	"UnsupportedOperation": "all 23 actions are supported",
	"InvalidSecurity":      "plain HTTP is allowed, and signatures have codes of their own",
	"InvalidIdFormat":      "deprecated: a malformed handle is ReceiptHandleIsInvalid",
	"KmsAccessDenied":      "keys are kept and have no effect",
	"KmsDisabled":          "keys are kept and have no effect",
	"KmsInvalidKeyUsage":   "keys are kept and have no effect",
	"KmsInvalidState":      "keys are kept and have no effect",
	"KmsNotFound":          "keys are kept and have no effect",
	"KmsThrottled":         "keys are kept and have no effect",
	"KmsOptInRequired":     "keys are kept and have no effect",
}

// codesShown are the rows of section 21 and the shapes they show.
var codesShown = map[string]string{
	"21/batch-entry-ids-not-distinct": "BatchEntryIdsNotDistinct", "21/batch-request-too-long": "BatchRequestTooLong", "21/empty-batch-request": "EmptyBatchRequest",
	"21/invalid-batch-entry-id": "InvalidBatchEntryId", "21/too-many-entries-in-batch-request": "TooManyEntriesInBatchRequest", "21/queue-deleted-recently": "QueueDeletedRecently",
	"21/queue-does-not-exist": "QueueDoesNotExist", "21/queue-name-exists": "QueueNameExists", "21/purge-queue-in-progress": "PurgeQueueInProgress", "21/over-limit": "OverLimit",
	"21/request-throttled": "RequestThrottled", "21/invalid-address": "InvalidAddress", "21/receipt-handle-is-invalid": "ReceiptHandleIsInvalid",
	"21/resource-not-found": "ResourceNotFoundException", "21/invalid-attribute-name": "InvalidAttributeName", "21/invalid-attribute-value": "InvalidAttributeValue",
	"21/invalid-message-contents": "InvalidMessageContents", "21/invalid-parameter-value": invalid, "21/missing-parameter": missing,
}

// Each row of the catalogue is shown, or is one that nothing brings about.
func TestWireCatalogueIsCovered(t *testing.T) {
	ids := map[string]bool{}
	for _, row := range errorRows {
		ids[row.ID] = true
	}
	covered := map[string]bool{}
	for id, shape := range codesShown {
		require.True(t, ids[id], "%s has a row", id)
		covered[shape] = true
	}
	for shape := range catalogue {
		require.NotEqual(t, covered[shape], beyond[shape] != "", "%s is shown or beyond, and not both", shape)
	}
	require.Len(t, catalogue, len(beyond)+len(covered))
}
