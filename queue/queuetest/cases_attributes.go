package queuetest

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var attributeCases = []testCase{
	{
		name: "Reference/5.3/kept",
		rule: "attributes come back with their names, types, labels and values, and so with the same MD5",
		test: testAttributesKept,
	},
	{
		name: "Reference/5.3/kept-over-redelivery",
		rule: "receiving does not change the stored attributes",
		test: func(d *desk) {
			m := d.message("a")
			m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x"), "n": queue.Number("1")})
			d.sendMessage(m)
			for range 3 {
				r := d.one("a")
				require.Equal(d, m.Attributes, r.Attributes, "attributes of delivery %d", r.ReceiveCount)
				d.change(r.Receipt, 0)
			}
		},
	},
	{
		name: "Reference/5.3/none-stays-none",
		rule: "a message without attributes is delivered without attributes",
		test: func(d *desk) {
			d.send("a")
			require.Equal(d, queue.Attributes{}, d.one("a").Attributes)
		},
	},
	{
		name: "Reference/5.3/number-kept-as-sent",
		rule: "unverified; chosen: a number comes back with the digits it was sent with",
		test: func(d *desk) {
			for _, digits := range []string{"007", "1.50", "-0", "+3", "1e10", "1E-7"} {
				m := attributed(d, "n", queue.Number(digits))
				d.sendMessage(m)
				got := d.one("a")
				v, _ := got.Attributes.Get("n")
				require.Equal(d, queue.Number(digits), v)
				d.delete(got.Receipt)
			}
		},
	},
	attributesTaken("ten-attributes", "a message may have ten attributes", manyAttributes(queue.MaxAttributes)),
	attributesRefused("eleven-attributes", "a message has at most ten attributes", manyAttributes(queue.MaxAttributes+1)),
	{
		name: "Reference/5.3/trace-header-is-not-counted",
		rule: "the trace header is not one of the ten",
		test: func(d *desk) {
			m := d.message("a")
			m.Attributes, m.TraceHeader = queue.NewAttributes(manyAttributes(queue.MaxAttributes)), traceHeader
			d.sendMessage(m)
			require.Equal(d, m, d.one("a").Message, "the message itself")
		},
	},

	attributesTaken("names", "a name is letters, digits, _ . - of either case", named(
		"a", "Z", "0", "_", "-", "a.b", "a-b_c.D9", "AWS", "Amazon", "Awsome", "AWSfoo", "Amazonian", "x.AWS.y",
	)...),
	attributesTaken("name-length", "unverified; chosen: a name may have 256 bytes", named(strings.Repeat("n", 256))...),
	attributesTaken("name-with-accents", "accented letters in a name are taken, as the real service does", named("attr.1øßä")...),
	attributesTaken("names-differ-in-case", "names are case-sensitive", map[string]queue.Value{"a": queue.String("1"), "A": queue.String("2")}),
	attributesRefused("empty-name", "a name is not empty", named("")...),
	attributesRefused("long-name", "a name has at most 256 bytes", named(strings.Repeat("n", 257))...),
	attributesRefused("reserved-names", "a name does not start with AWS. or Amazon., in any case", named(
		"AWS.x", "aws.x", "Aws.x", "Amazon.x", "amazon.x", "AMAZON.X",
	)...),
	attributesRefused("dots-in-names", "unverified; chosen: a name has no dot at its edges and no two in a row", named(
		".", ".a", "a.", "a..b", "..",
	)...),
	attributesRefused("characters-in-names", "a name has no other punctuation, space or control character", named(
		"a b", " a", "a/b", "a:b", "a#", "a\x00", "a\n", "\xff",
	)...),

	attributesTaken("types", "a type is String, Number or Binary, with or without a label", typed(
		"String", "String.x", "String.a.b c", "Number", "Number.int", "Binary", "Binary.png",
	)...),
	attributesTaken("type-length", "unverified; chosen: a type with its label may have 256 bytes", typed("String."+strings.Repeat("x", 249))...),
	attributesRefused("bad-types", "any other type is refused, also in other case", typed(
		"", "string", "STRING", "Str", "Stringx", "Text", "number", "binary", "Boolean", "StringList", " String", ".String",
	)...),
	attributesRefused("long-type", "a type with its label has at most 256 bytes", typed("String."+strings.Repeat("x", 250))...),

	attributesRefused("empty-values", "a value is not empty", values(
		queue.String(""), queue.Number(""), queue.Binary(nil), queue.Value{Type: "String.x"}, queue.Value{Type: "Binary.x"},
	)...),
	attributesTaken("binary-values", "a binary value may be any bytes", values(
		queue.Binary([]byte{0}), queue.Binary([]byte("\xff\xfe\x00\x01")),
	)...),
	attributesRefused("characters-in-values", "a text value with a bad character is an invalid parameter, not invalid contents", badValues()...),
	attributesTaken("numbers", "a number has up to 38 significant digits and a magnitude of 1e-128 to 1e126", numbers(
		"0", "1", "-1", "+1", "0.5", "-0.5", "1e3", "1E3", "1e+3", "1e-3", "3.1415926535897932384626433832795028841",
		strings.Repeat("9", 38), "-"+strings.Repeat("9", 38), "1e126", "-1e126", "1e-128", "1493147359900",
		strings.Repeat("0", 50)+"1", "1"+strings.Repeat("0", 50), "1."+strings.Repeat("0", 50),
	)...),
	attributesRefused("bad-numbers", "text that is no decimal number is refused", numbers(
		"x", "1x", "1 ", " 1", "-", "+", ".", "e", "1e", "1e+", "e5", "--1", "1.2.3", "1,5", "0x10", "1_000", "NaN", "Inf", "-Infinity", "١",
	)...),
	attributesRefused("numbers-out-of-range", "a number of more than 38 significant digits, or too large, or too small is refused", numbers(
		strings.Repeat("9", 39), "1."+strings.Repeat("0", 37)+"1"+"1", "1e127", "-1e127", "1e-129", "1e1000", "1e-1000",
		"1e99999999999999999999", "1e-99999999999999999999", strings.Repeat("9", 500),
	)...),
}

func testAttributesKept(d *desk) {
	m := d.message("a")
	m.Attributes = queue.NewAttributes(map[string]queue.Value{
		"text":    queue.String("größer\r\n als <&> \U0001f4ee"),
		"Text":    {Type: "String.with label", Data: " "},
		"number":  queue.Number("-12.5e3"),
		"Help.Me": {Type: "Number.bigint", Data: "1234567890123456789012"},
		"bytes":   queue.Binary([]byte{0, 255, 254, 10}),
		"png":     {Type: "Binary.png", Data: "\x89PNG"},
	})
	d.sendMessage(m)
	got := d.one("a")
	require.Equal(d, m.Attributes, got.Attributes, "attributes delivered")
	require.Equal(d, m.Attributes.MD5(), got.Attributes.MD5(), "MD5 of the attributes delivered")
}

// attributesTaken is a case in which messages with each of these sets of
// attributes are sent and delivered.
func attributesTaken(name, rule string, sets ...map[string]queue.Value) testCase {
	return testCase{name: "Reference/5.3/" + name, rule: rule, test: func(d *desk) {
		for _, set := range sets {
			m := d.message("a")
			m.Attributes = queue.NewAttributes(set)
			_, err := d.q.Send(d.Context(), m)
			require.NoError(d, err, "Send with attributes %.300q", set)
			got := d.one("a")
			require.Equal(d, m.Attributes, got.Attributes, "attributes delivered")
			d.delete(got.Receipt)
		}
	}}
}

// attributesRefused is a case in which each of these sets is refused.
func attributesRefused(name, rule string, sets ...map[string]queue.Value) testCase {
	return testCase{name: "Reference/5.3/" + name, rule: rule, test: func(d *desk) {
		for _, set := range sets {
			m := d.message("a")
			m.Attributes = queue.NewAttributes(set)
			d.Logf("attributes %.300q", set)
			d.refusedMessage(queue.ErrInvalidParameter, m)
		}
	}}
}

func attributed(d *desk, name string, v queue.Value) queue.Message {
	m := d.message("a")
	m.Attributes = queue.NewAttributes(map[string]queue.Value{name: v})
	return m
}

func manyAttributes(n int) map[string]queue.Value {
	set := make(map[string]queue.Value)
	for i := range n {
		set[fmt.Sprintf("attribute-%d", i)] = queue.String("x")
	}
	return set
}

func named(names ...string) (sets []map[string]queue.Value) {
	for _, name := range names {
		sets = append(sets, map[string]queue.Value{name: queue.String("x")})
	}
	return sets
}

func typed(types ...string) (sets []map[string]queue.Value) {
	for _, t := range types {
		sets = append(sets, map[string]queue.Value{"a": {Type: t, Data: "1"}})
	}
	return sets
}

func values(vs ...queue.Value) (sets []map[string]queue.Value) {
	for _, v := range vs {
		sets = append(sets, map[string]queue.Value{"a": v})
	}
	return sets
}

func numbers(digits ...string) (sets []map[string]queue.Value) {
	for _, text := range digits {
		sets = append(sets, map[string]queue.Value{"a": queue.Number(text)})
	}
	return sets
}

func badValues() (sets []map[string]queue.Value) {
	for _, bad := range badText {
		sets = append(sets, values(queue.String("x"+bad), queue.Value{Type: "String.label", Data: bad})...)
	}
	return sets
}
