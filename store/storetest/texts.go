package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// spoilt is what programs print and people paste, and databases refuse.
const spoilt = "a\x00b\xff\xfec\xed\xa0\x80d\\u0000\\\x00\\"

func testTexts(t *testing.T, open func(t *testing.T) forge.Store) {
	testSpoilt(t, open, "Servers", forge.Tx.Servers)
	testSpoilt(t, open, "Sites", forge.Tx.Sites)
	testSpoilt(t, open, "Keys", forge.Tx.Keys)
	testSpoilt(t, open, "Grants", forge.Tx.Grants)
	testSpoilt(t, open, "Deployments", forge.Tx.Deployments)
	testSpoilt(t, open, "Actions", forge.Tx.Actions)
	testSpoilt(t, open, "Deliveries", forge.Tx.Deliveries)
	testSpoilt(t, open, "Locks", forge.Tx.Locks)
	each(t, open, map[string]func(*testing.T, forge.Store){
		"Huge":     testHugeText,
		"InEvents": testSpoiltEvent,
		"InLogs":   testSpoiltLine,
		"Wanted":   testSpoiltFilters,
	})
}

// testSpoilt checks that a store takes records with such a text everywhere, and
// gives back what it could keep of it.
func testSpoilt[T, F any](t *testing.T, open func(t *testing.T) forge.Store, name string, table of[T, F]) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		s, r := open(t), seeded(t)
		record := random[T](r)
		name := *idOf(record)
		eachText(reflect.ValueOf(record).Elem(), func(text string) string { return text + spoilt })
		*idOf(record) = name
		for range 2 {
			insert(t, s, table, record)
			update(t, s, func(tx forge.Tx) error { return table(tx).Update(record) })
			require.Equal(t, kept(record), kept(get(t, s, table, name)))
			update(t, s, func(tx forge.Tx) error { return table(tx).Delete(name) })
			name += spoilt
			*idOf(record) = name
		}
	})
}

// eachText replaces every text below v, which can be set.
func eachText(v reflect.Value, with func(string) string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(with(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), with)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), with)
		}
	case reflect.Map:
		entries := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.Set(key)
			e.Set(v.MapIndex(key))
			eachText(k, with)
			eachText(e, with)
			entries.SetMapIndex(k, e)
		}
		if !v.IsNil() {
			v.Set(entries)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), with)
		}
	}
}

// kept is a record with what a store may replace replaced.
func kept[T any](record *T) *T {
	c := normal(record)
	eachText(reflect.ValueOf(c).Elem(), keptText)
	return c
}

func keptText(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	for strings.Contains(text, "\ufffd\ufffd") { // one for each byte, or for all of them
		text = strings.ReplaceAll(text, "\ufffd\ufffd", "\ufffd")
	}
	return text
}

func testHugeText(t *testing.T, s forge.Store) {
	huge := strings.Repeat("a line of it, and ünïcödé\n", 1<<20/28)
	site := &forge.Site{ID: id(), Domain: "a", DeployScript: huge, Labels: map[string]string{"": "", "a'b\"": huge}}
	action := &forge.Action{ID: id(), Input: forge.Input{Command: huge}, Failure: &forge.Failure{Output: huge}}
	insert(t, s, forge.Tx.Sites, site)
	insert(t, s, forge.Tx.Actions, action)
	require.Equal(t, site, normal(get(t, s, forge.Tx.Sites, site.ID)))
	require.Equal(t, action, normal(get(t, s, forge.Tx.Actions, action.ID)))
}

func testSpoiltEvent(t *testing.T, s forge.Store) {
	e := *random[forge.Event](seeded(t))
	eachText(reflect.ValueOf(&e).Elem(), func(text string) string { return text + spoilt })
	require.NoError(t, emit(t.Context(), s, e))
	got := events(t, s, 0, 10)
	require.Len(t, got, 1)
	e.Seq, e.Time = got[0].Seq, got[0].Time
	require.Equal(t, kept(&e), kept(&got[0]))
}

func testSpoiltLine(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, forge.Line{Type: forge.LineOutput, Text: spoilt}))
	lines := readLog(t, s, l.id, 0)
	require.Len(t, lines, 1)
	require.Equal(t, keptText(spoilt), keptText(lines[0].Text))
}

// testSpoiltFilters asks for what has such a text.
func testSpoiltFilters(t *testing.T, s forge.Store) {
	labels := map[string]string{spoilt: spoilt}
	server := &forge.Server{ID: id(), Owner: spoilt, Name: spoilt, Status: spoilt, IdempotencyKey: spoilt, Labels: labels}
	site := &forge.Site{ID: id(), Server: spoilt, Domain: spoilt}
	insert(t, s, forge.Tx.Servers, server, &forge.Server{ID: id()})
	insert(t, s, forge.Tx.Sites, site, &forge.Site{ID: id()})
	for _, f := range []forge.ServerFilter{
		{Owner: spoilt}, {Name: spoilt}, {Status: []forge.ServerStatus{spoilt}}, {IdempotencyKey: spoilt}, {Labels: labels},
	} {
		found := list(t, s, forge.Tx.Servers, f, forge.Page{})
		require.Len(t, found, 1)
		require.Equal(t, server.ID, found[0].ID)
	}
	require.Len(t, list(t, s, forge.Tx.Sites, forge.SiteFilter{Domain: spoilt}, forge.Page{}), 1)
	list(t, s, forge.Tx.Sites, forge.SiteFilter{}, forge.Page{After: "\x00\xff"})
	err := s.Update(t.Context(), func(tx forge.Tx) error {
		return tx.Sites().Insert(&forge.Site{ID: id(), Server: spoilt, Domain: spoilt})
	})
	requireConflict(t, err, "domain")
}
