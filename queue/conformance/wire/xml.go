package wire

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"github.com/stretchr/testify/require"
)

// A node is an element of XML.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

func (n *node) name() string { return n.XMLName.Local }

// names are those of the children, in order.
func (n *node) names() []string {
	names := []string{}
	for i := range n.Children {
		names = append(names, n.Children[i].name())
	}
	return names
}

// all are the children of a name.
func (n *node) all(name string) (found []*node) {
	for i := range n.Children {
		if n.Children[i].name() == name {
			found = append(found, &n.Children[i])
		}
	}
	return found
}

// one is the only child of a name.
func (n *node) one(t T, name string) *node {
	t.Helper()
	found := n.all(name)
	require.Len(t, found, 1, "<%s> in <%s>", name, n.name())
	return found[0]
}

// tree reads XML.
func tree(t T, text string) *node {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	var root node
	require.NoError(t, dec.Decode(&root), "no XML: %s", brief(text))
	rest, err := dec.Token()
	for err == nil {
		space, ok := rest.(xml.CharData)
		require.True(t, ok && len(bytes.TrimSpace(space)) == 0, "something follows the root: %s", brief(text))
		rest, err = dec.Token()
	}
	require.ErrorIs(t, err, io.EOF)
	return &root
}
