package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlainErrors(t *testing.T) {
	tr := &trial{ctx: t.Context()}
	assert.Equal(tr, 1, 2, "the number of %s", "legs")
	outcome, why := tr.result()
	require.Equal(t, failed, outcome)
	require.Equal(t, "the number of legs\nNot equal:\nexpected: 1\nactual  : 2", why)

	tr = &trial{ctx: t.Context()}
	tr.Errorf("no %s", "testify")
	_, why = tr.result()
	require.Equal(t, "no testify", why)
}

func TestReasonsAreCutShort(t *testing.T) {
	require.Equal(t, []string{"a", "b"}, reason("\na\nb\n", false))
	long := ""
	for range 100 {
		long += "äöü"
	}
	cut := reason(long, false)[0]
	require.Less(t, len(cut), 250)
	require.Regexp(t, `^[äöü]+\.\.\.$`, cut)
	require.Equal(t, []string{long}, reason(long, true))
	require.Len(t, reason("1\n2\n3\n4\n5\n6\n7\n8", false), 7)
}
