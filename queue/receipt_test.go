package queue_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var someFields = queue.ReceiptFields{Seq: 17, Turn: queue.Turn(3, 2), At: 1_700_000_000_123, Check: 0xfedcba9876543210}

func TestReceiptReadsBackAsGiven(t *testing.T) {
	for _, fields := range []queue.ReceiptFields{
		someFields,
		{Seq: 1},
		{Turn: queue.Turn(1, 0)},
		{Turn: 1},
		{At: 1},
		{At: -1},
		{Check: 1},
		{Seq: math.MaxUint64, Turn: math.MaxUint64, At: math.MaxInt64, Check: math.MaxUint64},
		{At: math.MinInt64, Check: 1 << 63},
	} {
		r := queue.NewReceipt(fields)
		got, ok := r.Fields()
		assert.True(t, ok)
		assert.Equal(t, fields, got)

		parsed, err := queue.ParseReceipt(r.String())
		require.NoError(t, err, "%+v", fields)
		assert.Equal(t, r, parsed)
	}
}

// Wrappers join receipts with '-' and '#', and SDKs put them into URLs.
func TestReceiptTextIsLowerCaseHexadecimal(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{64}$`)
	assert.Regexp(t, form, queue.NewReceipt(someFields).String())
	assert.Regexp(t, form, queue.NewReceipt(queue.ReceiptFields{Seq: 1}).String())
	assert.Equal(t,
		"0000000000000011"+"00000003"+"00000002"+"0000018bcfe5687b"+"fedcba9876543210",
		queue.NewReceipt(someFields).String())
}

func TestReceiptOfEachFieldHasItsOwnText(t *testing.T) {
	texts := map[string]queue.ReceiptFields{}
	for _, fields := range []queue.ReceiptFields{{Seq: 1}, {Turn: queue.Turn(1, 0)}, {Turn: 1}, {At: 1}, {Check: 1}} {
		text := queue.NewReceipt(fields).String()
		assert.NotContains(t, texts, text)
		texts[text] = fields
	}
}

func TestParseReceiptRefusesGarbage(t *testing.T) {
	good := queue.NewReceipt(someFields).String()
	for name, text := range map[string]string{
		"one digit short":     good[:63],
		"one byte short":      good[:62],
		"half":                good[:32],
		"one digit":           "1",
		"one digit too long":  good + "0",
		"one byte too long":   good + "00",
		"twice":               good + good,
		"capitals":            strings.ToUpper(good),
		"no hexadecimal":      "g" + good[1:],
		"a dash":              good[:32] + "-" + good[33:],
		"space before":        " " + good[1:],
		"line feed after":     good[:63] + "\n",
		"a character of two":  "é" + good[2:],
		"nothing but zeros":   strings.Repeat("0", 64),
		"base64":              "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
		"a wrapped receipt":   good + "-1",
		"what a human writes": "receipt",
	} {
		r, err := queue.ParseReceipt(text)
		assert.ErrorIs(t, err, queue.ErrReceiptInvalid, name)
		assert.Equal(t, queue.Receipt{}, r, name)
	}
}

func TestParseReceiptOfNothingIsAMissingParameter(t *testing.T) {
	r, err := queue.ParseReceipt("")
	assert.ErrorIs(t, err, queue.ErrMissingParameter)
	assert.NotErrorIs(t, err, queue.ErrReceiptInvalid)
	assert.Equal(t, queue.Receipt{}, r)
}

func TestZeroReceiptIsNone(t *testing.T) {
	var zero queue.Receipt
	assert.Empty(t, zero.String())
	assert.Equal(t, zero, queue.NewReceipt(queue.ReceiptFields{}))
	assert.Equal(t, zero, queue.ForeignReceipt(""))
	_, ok := zero.Fields()
	assert.False(t, ok)
	_, ok = zero.Foreign()
	assert.False(t, ok)
}

func TestForeignReceiptKeepsItsText(t *testing.T) {
	for _, text := range []string{"AQEB+/=-#", "x", queue.NewReceipt(someFields).String()} {
		r := queue.ForeignReceipt(text)
		assert.Equal(t, text, r.String())
		got, ok := r.Foreign()
		assert.True(t, ok)
		assert.Equal(t, text, got)
		_, ok = r.Fields()
		assert.False(t, ok, "foreign text is not looked into")
		assert.NotEqual(t, queue.NewReceipt(someFields), r)
	}
	_, ok := queue.NewReceipt(someFields).Foreign()
	assert.False(t, ok)
}

// A receipt has one spelling: what parses is written the same.
func FuzzParseReceipt(f *testing.F) {
	good := queue.NewReceipt(someFields).String()
	f.Add(good)
	f.Add("")
	f.Add(good[:63])
	f.Add(good + "0")
	f.Add(strings.ToUpper(good))
	f.Add(strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := queue.ParseReceipt(text)
		if err != nil {
			if r != (queue.Receipt{}) {
				t.Errorf("%q is refused, but gives %+v", text, r)
			}
			return
		}
		if r.String() != text {
			t.Errorf("%q is written %q", text, r.String())
		}
		if _, ok := r.Fields(); !ok {
			t.Errorf("%q has no fields", text)
		}
	})
}
