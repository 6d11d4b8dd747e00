package sqlstore

import (
	"fmt"
	"strings"

	"github.com/seed-797f2c2c/forge"
)

// schema is what a table needs to know of its records.
type schema[T, F any] struct {
	table  string
	record string // what a record is called in an error
	id     func(*T) *string
	fields func(*Dialect, *T) []field
	where  func(*where, F)

	// beside are further statements that write a record, and those that remove
	// it; nil for none.
	beside func(*Dialect, *T) []Stmt
	remove func(*Dialect, string) []Stmt
}

// table is a table in a transaction.
type table[T, F any] struct {
	tx *Tx
	*schema[T, F]
}

func (t table[T, F]) Get(id string) (*T, error) {
	if err := t.tx.err(); err != nil {
		return nil, err
	}
	r := new(T)
	fields := t.fields(t.tx.d, r)
	text := "SELECT " + names(fields) + " FROM {" + t.table + `} WHERE "id" = ?`
	found := false
	err := t.tx.query(t.tx.d.sql(text, clean(id)), func(scan func(...any) error) error {
		found = true
		return scan(dests(fields)...)
	})
	if err == nil && !found {
		err = &forge.Error{Class: forge.ErrNotFound, Field: t.record, Rule: fmt.Sprintf("there is no %q", id)}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (t table[T, F]) Insert(r *T) error {
	_, err := t.write(t.insert(r), r)
	return err
}

func (t table[T, F]) insert(r *T) Stmt {
	fields := t.fields(t.tx.d, r)
	text := "INSERT INTO {" + t.table + "} (" + names(fields) + ") VALUES (" + placeholders(len(fields)) + ")"
	return t.tx.d.sql(text, args(fields)...)
}

func (t table[T, F]) Update(r *T) error {
	fields := t.fields(t.tx.d, r)[1:] // all but the id
	id := clean(*t.id(r))
	text := "UPDATE {" + t.table + "} SET " + assignments(fields) + ` WHERE "id" = ?`
	changed, err := t.write(t.tx.d.sql(text, append(args(fields), id)...), r)
	if err == nil && changed == 0 {
		return &forge.Error{Class: forge.ErrNotFound, Field: t.record, Rule: fmt.Sprintf("there is no %q", id)}
	}
	return err
}

// What begins and ends a write.
const (
	written = "SAVEPOINT written"
	undo    = "ROLLBACK TO SAVEPOINT written"
	release = "RELEASE SAVEPOINT written"
)

// write executes a statement and those beside it, or none of them.
func (t table[T, F]) write(stmt Stmt, r *T) (changed int64, err error) {
	if err := t.tx.writeErr(); err != nil {
		return 0, err
	}
	stmts := []Stmt{{SQL: written}, stmt}
	if t.beside != nil {
		stmts = append(stmts, t.beside(t.tx.d, r)...)
	}
	counts, err := t.tx.exec(append(stmts, Stmt{SQL: release})...)
	if err == nil {
		return counts[1], nil
	}
	field, taken := t.tx.d.Conflict(err)
	if !taken {
		return 0, err
	}
	if _, err := t.tx.exec(Stmt{SQL: undo}); err != nil { // only this is allowed at once
		return 0, err
	}
	if _, err := t.tx.exec(append(t.look(r), Stmt{SQL: undo}, Stmt{SQL: release})...); err != nil {
		return 0, err
	}
	return 0, &forge.Error{Class: forge.ErrConflict, Field: field, Rule: "another " + t.record + " has this one"}
}

// look are statements that fail when what a record is in conflict with is not to
// be seen in the transaction, as another one added it meanwhile: then this is no
// conflict, and the transaction has to be tried again. They put the record in the
// place of itself, as only an insert fails in that way.
func (t table[T, F]) look(r *T) []Stmt {
	stmts := []Stmt{t.delete(clean(*t.id(r))), t.insert(r)}
	if t.beside != nil {
		stmts = append(stmts, t.beside(t.tx.d, r)...)
	}
	for i := range stmts {
		if strings.HasPrefix(stmts[i].SQL, "INSERT") {
			stmts[i].SQL += " ON CONFLICT DO NOTHING"
		}
	}
	return stmts
}

func (t table[T, F]) delete(id string) Stmt {
	return t.tx.d.sql("DELETE FROM {"+t.table+`} WHERE "id" = ?`, id)
}

func (t table[T, F]) Delete(id string) error {
	if err := t.tx.writeErr(); err != nil {
		return err
	}
	stmts := []Stmt{t.delete(clean(id))}
	if t.remove != nil {
		stmts = append(stmts, t.remove(t.tx.d, clean(id))...)
	}
	_, err := t.tx.exec(stmts...)
	return err
}

func (t table[T, F]) List(f F, p forge.Page) ([]*T, error) {
	if err := t.tx.err(); err != nil {
		return nil, err
	}
	w := &where{d: t.tx.d}
	t.where(w, f)
	stmt := w.page(names(t.fields(t.tx.d, new(T))), t.table, p)
	var records []*T
	err := t.tx.query(stmt, func(scan func(...any) error) error {
		r := new(T)
		records = append(records, r)
		return scan(dests(t.fields(t.tx.d, r))...)
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

func placeholders(n int) string {
	b := make([]byte, 0, 3*n)
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '?')
	}
	return string(b)
}

func assignments(fields []field) string {
	var b []byte
	for i, f := range fields {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, quote(f.name)+" = ?"...)
	}
	return string(b)
}
