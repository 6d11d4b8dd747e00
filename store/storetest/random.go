package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"
)

// fill gives every field below v, which can be set, a random value that is not
// zero. What is there is overwritten in place, so that whoever shares it sees.
func fill(r *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		zone := time.FixedZone("", r.IntN(24)*3600-12*3600)
		v.Set(reflect.ValueOf(time.UnixMicro(r.Int64N(4e15) + 1).In(zone)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text(r))
	case reflect.Int:
		v.SetInt(1 + r.Int64N(1<<31-1))
	case reflect.Int64:
		v.SetInt(1 + r.Int64N(1<<62))
	case reflect.Uint8:
		v.SetUint(1 + uint64(r.IntN(255)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		fill(r, v.Elem())
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 3, 8))
		}
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.Clear()
		for range 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	default:
		panic(fmt.Sprintf("storetest cannot fill a %s", v.Type()))
	}
}

// text returns a random text in which any character may be.
func text(r *rand.Rand) string {
	special := []rune("'\"`\\%_;$:{}[]\n\r\t\x01\x7fäß€語🚀\u2028\ufffd\U0010ffff")
	b := fmt.Appendf(nil, "%x ", r.Uint64())
	for range 8 {
		b = append(b, string(special[r.IntN(len(special))])...)
	}
	return string(b)
}

// random returns a record with random values in all of its fields.
func random[T any](r *rand.Rand) *T {
	record := new(T)
	fill(r, reflect.ValueOf(record).Elem())
	return record
}

// normal returns a deep copy of a record with its times in UTC, to the
// microsecond, and with nil for what is empty, so that what a store returns
// can be compared.
func normal[T any](record *T) *T {
	c := reflect.New(reflect.TypeFor[T]()).Elem()
	normalize(c, reflect.ValueOf(record).Elem())
	return c.Addr().Interface().(*T)
}

func normalize(to, from reflect.Value) {
	if t, ok := from.Interface().(time.Time); ok {
		if !t.IsZero() {
			to.Set(reflect.ValueOf(t.UTC().Truncate(time.Microsecond)))
		}
		return
	}
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			normalize(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		for i := range from.Len() {
			element := reflect.New(from.Type().Elem()).Elem()
			normalize(element, from.Index(i))
			to.Set(reflect.Append(to, element))
		}
	case reflect.Map:
		if from.Len() == 0 {
			return
		}
		to.Set(reflect.MakeMap(from.Type()))
		for _, key := range from.MapKeys() {
			to.SetMapIndex(key, from.MapIndex(key))
		}
	case reflect.Struct:
		for i := range from.NumField() {
			normalize(to.Field(i), from.Field(i))
		}
	default:
		to.Set(from)
	}
}

// idOf returns where a record has its id.
func idOf(record any) *string {
	v := reflect.ValueOf(record).Elem()
	field := v.FieldByName("ID")
	if !field.IsValid() {
		field = v.FieldByName("Key") // of a lock
	}
	return field.Addr().Interface().(*string)
}
