package main

// table holds the mutants: for each promise a mistake that breaks it, and the
// tests that must notice. Old must stand exactly once in File, so take as much
// of the surrounding text as makes it unique.
var table = []Mutant{
	{
		Name: "receipt-short-text",
		Rule: "Text that is shorter than a receipt is no receipt.",
		File: "queue/receipt.go",
		Old:  `len(text) != hex.EncodedLen(len(b))`,
		New:  `len(text) > hex.EncodedLen(len(b))`,
		Test: []string{"./queue", "-run", "Receipt"},
	},
}
