package main

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed movements.csv
var file string

// A movement is a line of the file: money that comes into an account or, if the
// amount is negative, leaves it.
type movement struct {
	ID      string
	Account string
	Amount  int64 // in cents
	Memo    string
}

// readMovements returns the movements of the file.
func readMovements() ([]movement, error) {
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("movements.csv: %w", err)
	}
	columns := []string{"id", "account", "amount", "memo"}
	if len(rows) == 0 || !slices.Equal(rows[0], columns) {
		return nil, fmt.Errorf("movements.csv: the first line does not name the columns %q", columns)
	}
	var movements []movement
	for _, row := range rows[1:] {
		amount, err := strconv.ParseInt(row[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("movements.csv: movement %s: %w", row[0], err)
		}
		movements = append(movements, movement{row[0], row[1], amount, row[3]})
	}
	return movements, nil
}

// encode returns m as the body of a message.
func (m movement) encode() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic("internal error: " + err.Error()) // strings and numbers always have a form in JSON
	}
	return string(text)
}

// decodeMovement reads what encode returned.
func decodeMovement(body string) (m movement, err error) {
	err = json.Unmarshal([]byte(body), &m)
	return m, err
}
