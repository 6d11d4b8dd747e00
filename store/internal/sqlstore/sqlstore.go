// Package sqlstore keeps forge's records in a database that speaks SQL. It has
// all that the stores on such databases share: the columns, the conditions, the
// statements. What differs is a Dialect, and how a transaction begins, ends and
// executes is the adapter's.
//
// The tables are made by each adapter's migrations. A unique index has a name
// that the adapter tells the field by.
package sqlstore

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Dialect is how a database differs from others.
type Dialect struct {
	// Prefix stands before the name of a table, as `"forge".`.
	Prefix string
	// Numbered is set where a placeholder is $1, instead of ?.
	Numbered bool
	// Micros is set where a time is a number of microseconds since 1970.
	Micros bool
	// HasLabel is the condition that the labels have a key with a value, with
	// a placeholder for each.
	HasLabel string
	// Conflict returns the field of a record that an error says is not unique.
	Conflict func(error) (field string, ok bool)
}

// Stmt is a statement with its arguments.
type Stmt struct {
	SQL  string
	Args []any
}

// Conn executes statements in a transaction.
type Conn interface {
	// Now is the time of the database when the transaction began.
	Now(ctx context.Context) (time.Time, error)
	// Exec executes statements, one after the other, in one round trip where
	// the database can. It returns how many rows each changed, and stops at the
	// first that fails.
	Exec(ctx context.Context, stmts ...Stmt) ([]int64, error)
	// Query calls row for each row of a result, with a function that reads it.
	Query(ctx context.Context, stmt Stmt, row func(scan func(dest ...any) error) error) error
}

// sql returns a statement for the dialect. In the text, a name in braces is a
// table, and ? is a placeholder.
func (d *Dialect) sql(text string, args ...any) Stmt {
	var b strings.Builder
	number := 0
	for {
		i := strings.IndexAny(text, "{?")
		if i < 0 {
			b.WriteString(text)
			return Stmt{b.String(), args}
		}
		b.WriteString(text[:i])
		if text[i] == '?' {
			number++
			b.WriteString(d.placeholder(number))
			text = text[i+1:]
			continue
		}
		name, rest, _ := strings.Cut(text[i+1:], "}")
		b.WriteString(d.Prefix)
		b.WriteString(name)
		text = rest
	}
}

func (d *Dialect) placeholder(n int) string {
	if !d.Numbered {
		return "?"
	}
	return "$" + strconv.Itoa(n)
}
