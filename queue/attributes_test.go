package queue_test

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type values = map[string]queue.Value

// Digests that Amazon SQS returned.
func TestAttributesMD5IsThatOfSQS(t *testing.T) {
	for _, c := range []struct {
		values values
		want   string
	}{
		{values{"k": queue.String("x")}, "a45daa70926828a2f0a1db3418e6feb4"},
		{values{"Hello": queue.String("World")}, "7db7fb1ba7f41366a8ea5eb18220b26d"},
		{values{"Hello": queue.String("There")}, "a311262e065454b75da111d535b8dacd"},
		{values{"Hello": queue.String("There"), "General": queue.String("Kenobi")}, "fca026605781cb4126a1e9044df24232"},
		{values{"Hello": queue.String("There"), "General": queue.String("Kenobi"), "Help.Me": queue.String("Me")}, "4c360f3fdafd970e05fae2f149d997f5"},
		{values{"Hello": queue.String("There"), "Help.Me": queue.String("Me")}, "83fee93c1bcd8b9a5a923ffacdc636c7"},
		{values{"timestamp": queue.Number("1493147359900")}, "235c5c510d26fb653d073faed50ae77c"},
		{values{"data1": queue.Number("1"), "data2": queue.Number("2")}, "b53b5acf24e7fd9567705bd8027b1c76"},
		{values{"UserId": {Type: "Number.bigint", Data: "1234567890123456789012"}}, "797ab158d73dcb5242dedc4412c8e855"},
		{values{"MyAttribute": queue.String("foobar")}, "adb59cd4678ea5a855436b949cd07ab6"},
		{values{"attr1": queue.Binary([]byte("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"))}, "8cbe4db156db8a94db8b801b7addb984"},
		{values{"AWSTraceHeader": queue.String("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")}, "5ae4d5d7636402d80f4eb6d213245a88"},
	} {
		sum := queue.NewAttributes(c.values).MD5()
		assert.Equal(t, c.want, hex.EncodeToString(sum[:]), "of %v", c.values)
	}
}

func TestAttributesReadBackAsGiven(t *testing.T) {
	given := values{
		"b":       queue.Binary([]byte{0, 1, 0xff}),
		"a":       queue.String("text"),
		"number":  queue.Number("-1.50e3"),
		"label":   {Type: "Number.float", Data: "1"},
		"picture": {Type: "Binary.png", Data: "\x89PNG"},
		"empty":   queue.String(""),
		"":        queue.String("no name; a queue refuses it"),
	}
	a := queue.NewAttributes(given)

	assert.Equal(t, given, maps.Collect(a.All()))
	assert.Equal(t, len(given), a.Len())
	for name, want := range given {
		got, ok := a.Get(name)
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
	_, ok := a.Get("absent")
	assert.False(t, ok)

	decoded, err := queue.DecodeAttributes(a.Encoded())
	require.NoError(t, err)
	assert.Equal(t, a, decoded, "attributes are comparable, so decoding must give the same value")
}

func TestAttributesAreYieldedInOrderOfNames(t *testing.T) {
	a := queue.NewAttributes(values{"b": {}, "a": {}, "ab": {}, "B": {}, "a.b": {}})
	var names []string
	for name := range a.All() {
		names = append(names, name)
	}
	assert.Equal(t, []string{"B", "a", "a.b", "ab", "b"}, names)

	for range a.All() {
		break // must not run on after the caller has seen enough
	}
}

func TestNoAttributesAreTheZeroValue(t *testing.T) {
	for _, a := range []queue.Attributes{{}, queue.NewAttributes(nil), queue.NewAttributes(values{})} {
		assert.Equal(t, queue.Attributes{}, a)
		assert.Zero(t, a.Len())
		assert.Zero(t, a.Size())
		assert.Empty(t, a.Encoded())
	}
	decoded, err := queue.DecodeAttributes("")
	require.NoError(t, err)
	assert.Equal(t, queue.Attributes{}, decoded)
}

func TestBinaryIsToldByItsTypeBeforeTheDot(t *testing.T) {
	for _, binary := range []string{"Binary", "Binary.", "Binary.png"} {
		assert.True(t, queue.Value{Type: binary}.IsBinary(), binary)
	}
	for _, text := range []string{"", "String", "Number", "binary", "Binaryish", "String.Binary"} {
		assert.False(t, queue.Value{Type: text}.IsBinary(), text)
	}
}

func TestBinaryCopiesItsBytes(t *testing.T) {
	b := []byte("abc")
	v := queue.Binary(b)
	b[0] = 'x'
	assert.Equal(t, "abc", v.Data)
}

func TestSizeCountsNamesTypesAndValues(t *testing.T) {
	a := queue.NewAttributes(values{
		"name":  queue.String("value"),                        // 4 + 6 + 5
		"n":     {Type: "Number.int", Data: "42"},             // 1 + 10 + 2
		"image": queue.Binary([]byte{1, 2, 3}),                // 5 + 6 + 3
		"ü":     queue.String("€"),                            // 2 + 6 + 3: bytes, not characters
		"empty": {Type: "Binary." + strings.Repeat("x", 100)}, // 5 + 107
	})
	assert.Equal(t, 15+13+14+11+112, a.Size())

	m := queue.Message{Body: "é", Attributes: a, GroupID: "group", DeduplicationID: "id", TraceHeader: "Root=1"}
	assert.Equal(t, 2+a.Size(), m.Size(), "only the body and the attributes count")
}

func TestSelectKeepsWhatIsAskedFor(t *testing.T) {
	all := values{"a": queue.String("1"), "b": queue.Binary([]byte("2")), "c": queue.Number("3"), "ca": queue.String("4")}
	a := queue.NewAttributes(all)
	for _, keep := range []string{"", "a", "b", "ca", "ab", "bc", "abcca"} {
		want := values{}
		for name, v := range all {
			if strings.Contains(keep, name) {
				want[name] = v
			}
		}
		got := a.Select(func(name string) bool { return strings.Contains(keep, name) })
		assert.Equal(t, queue.NewAttributes(want), got, "of %q", keep)
	}
}

// encoded builds an encoding by hand: strings get their length before them,
// bytes stand for themselves.
func encoded(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b.Write([]byte{0, 0, byte(len(p) >> 8), byte(len(p))})
			b.WriteString(p)
		case int:
			b.WriteByte(byte(p))
		}
	}
	return b.String()
}

func TestDecodeAttributesRefusesWhatEncodedNeverReturns(t *testing.T) {
	good := encoded("a", "String", 1, "text", "b", "Binary", 2, "\x00")
	_, err := queue.DecodeAttributes(good)
	require.NoError(t, err, "the starting point of this test")

	for end := 1; end < len(good); end++ {
		if end == len(encoded("a", "String", 1, "text")) {
			continue // here the first attribute is whole
		}
		_, err := queue.DecodeAttributes(good[:end])
		assert.Error(t, err, "cut off after %d bytes", end)
	}
	for name, bad := range map[string]string{
		"something behind":        good + "x",
		"names out of order":      encoded("b", "String", 1, "x", "a", "String", 1, "x"),
		"a name twice":            encoded("a", "String", 1, "x", "a", "String", 1, "y"),
		"the empty name twice":    encoded("", "String", 1, "x", "", "String", 1, "y"),
		"text marked binary":      encoded("a", "String", 2, "x"),
		"binary marked text":      encoded("a", "Binary.png", 1, "x"),
		"an unknown mark":         encoded("a", "String", 3, "x"),
		"a length beyond the end": "\x00\x00\x00\x02a",
		"a length beyond 2 GiB":   "\xff\xff\xff\xff" + strings.Repeat("x", 100),
	} {
		got, err := queue.DecodeAttributes(bad)
		assert.Error(t, err, name)
		assert.Equal(t, queue.Attributes{}, got, name)
	}
}

// Whatever decodes is exactly what NewAttributes makes of its content.
func FuzzDecodeAttributes(f *testing.F) {
	f.Add("")
	f.Add(encoded("a", "String", 1, "text"))
	f.Add(encoded("a", "String", 1, "text", "b", "Binary.png", 2, "\x00\xff"))
	f.Add(encoded("b", "String", 1, "x", "a", "String", 1, "x"))
	f.Add("\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := queue.DecodeAttributes(text)
		if err != nil {
			return
		}
		content := maps.Collect(a.All())
		if again := queue.NewAttributes(content); again != a {
			t.Errorf("%q decodes, but its content encodes to %q", text, again.Encoded())
		}
		if len(content) != a.Len() {
			t.Errorf("%d names, but Len is %d", len(content), a.Len())
		}
		if all := a.Select(func(string) bool { return true }); all != a {
			t.Errorf("selecting everything gives %q", all.Encoded())
		}
		if a.Size() > len(text) {
			t.Errorf("Size is %d, more than the encoding", a.Size())
		}
	})
}

func ExampleNewAttributes() {
	m := queue.Message{
		Body: `{"order": 17}`,
		Attributes: queue.NewAttributes(map[string]queue.Value{
			"tenant":   queue.String("acme"),
			"priority": queue.Number("3"),
			"weight":   {Type: "Number.kg", Data: "0.25"},
			"checksum": queue.Binary([]byte{0xca, 0xfe}),
		}),
	}
	for name, v := range m.Attributes.All() {
		fmt.Printf("%s: %s %q\n", name, v.Type, v.Data)
	}
	fmt.Println(m.Size(), "bytes")
	// Output:
	// checksum: Binary "\xca\xfe"
	// priority: Number "3"
	// tenant: String "acme"
	// weight: Number.kg "0.25"
	// 79 bytes
}

func ExampleAttributes_Select() {
	a := queue.NewAttributes(map[string]queue.Value{
		"trace.id":   queue.String("42"),
		"trace.span": queue.String("7"),
		"tenant":     queue.String("acme"),
	})
	traces := a.Select(func(name string) bool { return strings.HasPrefix(name, "trace.") })
	fmt.Println(slices.Sorted(maps.Keys(maps.Collect(traces.All()))))
	// Output: [trace.id trace.span]
}
