package wire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// A flaw is wrong with answers whatever they are about: members that the service
// doesn't have, wrong types, nulls, empty lists, wrong digests, malformed envelopes.
// A desk looks for all of them in every answer. Where nobody keeps a list of them,
// one fails the row that it was found by; else only the rows that are about it, or
// a service without request IDs would have no row that passes.
type kind string

// The kinds of flaws.
const (
	ofEnvelopes kind = "envelopes" // content types, namespaces, request IDs
	ofMembers   kind = "members"   // of objects
	ofDigests   kind = "digests"
	ofErrors    kind = "errors" // their types and codes, where the protocols differ
)

// about names the rows that are about flaws of a kind, or parts of the list that are.
var about = map[kind][]string{
	ofEnvelopes: {"19.2/headers", "20.2/envelope", "20.3/shape"},
	ofMembers:   {"4.3/no-match-no-key", "4.4/no-attributes-no-key", "4.6/no-tags-no-key", "6.3/all-fail", "8.1/members", "15.3/absent-members", "19.2/absent", "20.2/empty-result", "20.2/flattened", "20.2/message", "25/11-empty-lists-omitted"},
	ofDigests:   {"5.6/vectors", "22.3/attribute-digests", "22.3/body-digests", "25/3-md5-of-returned-subset"},
	ofErrors:    {"4.1/exists-codes", "4.3/missing-codes", "19.3/namespaces", "21/", "25/4-type-and-query-error", "25/7-wsdl-text-in-query-only"},
}

// strict reports whether a flaw of that kind fails the row.
func (d *desk) strict(k kind) bool {
	return d.target.Flaw == nil || slices.ContainsFunc(about[k], func(id string) bool { return id == d.row || strings.HasSuffix(id, "/") && strings.HasPrefix(d.row, id) })
}

// flaw notes a flaw, or fails the row and ends it.
func (d *desk) flaw(k kind, format string, args ...any) {
	d.t.Helper()
	if d.strict(k) {
		require.FailNow(d.t, fmt.Sprintf(format, args...))
	}
	d.target.Flaw(format, args...)
}
