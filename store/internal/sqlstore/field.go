package sqlstore

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// field is a column of a record. Its value points into the record, from which
// it is written and to which it is read: a pointer that drivers know, or one of
// the types below.
type field struct {
	name  string
	value any
}

// stamp is a time, which is NULL when it is zero.
type stamp struct {
	t      *time.Time
	micros bool
}

// Value is for the driver.
func (s stamp) Value() (driver.Value, error) {
	switch {
	case s.t.IsZero():
		return nil, nil
	case s.micros:
		return s.t.UnixMicro(), nil
	}
	return *s.t, nil
}

// Scan is for the driver.
func (s stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.UnixMicro(v).UTC()
	case time.Time:
		*s.t = v.UTC()
	default:
		return fmt.Errorf("a time is a %T", src)
	}
	return nil
}

// document is a value that is kept as JSON; NULL when it is empty.
type document struct{ value any }

// Value is for the driver.
func (d document) Value() (driver.Value, error) {
	if v := reflect.ValueOf(d.value).Elem(); v.IsZero() || (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0 {
		return nil, nil
	}
	data, err := json.Marshal(d.value)
	return withoutNUL(string(data)), err
}

// Scan is for the driver.
func (d document) Scan(src any) error {
	v := reflect.ValueOf(d.value).Elem()
	v.SetZero()
	switch data := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(data), d.value)
	case []byte:
		return json.Unmarshal(bytes.Clone(data), d.value)
	}
	return fmt.Errorf("a document is a %T", src)
}

// withoutNUL replaces the characters that databases refuse in JSON.
func withoutNUL(data string) string {
	const nul = `\u0000`
	if !strings.Contains(data, nul) {
		return data
	}
	var b strings.Builder
	for i := 0; i < len(data); i++ {
		switch {
		case strings.HasPrefix(data[i:], nul):
			b.WriteString(`\ufffd`)
			i += len(nul) - 1
		case data[i] == '\\': // and what it escapes
			b.WriteString(data[i : i+2])
			i++
		default:
			b.WriteByte(data[i])
		}
	}
	return b.String()
}

// clean makes a text safe, which databases refuse with NUL or where it is not
// UTF-8: as JSON does, by a character for each byte.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	return strings.ReplaceAll(text, "\x00", "\ufffd")
}

// args are the values of fields.
func args(fields []field) []any {
	values := make([]any, len(fields))
	for i, f := range fields {
		values[i] = f.value
		if text := reflect.ValueOf(f.value); text.Kind() == reflect.Pointer && text.Elem().Kind() == reflect.String {
			values[i] = clean(text.Elem().String())
		}
	}
	return values
}

// dests are where fields are read to.
func dests(fields []field) []any {
	values := make([]any, len(fields))
	for i, f := range fields {
		values[i] = f.value
	}
	return values
}

// names are the names of fields, for a statement.
func names(fields []field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(f.name))
	}
	return b.String()
}

func quote(name string) string { return `"` + name + `"` }
