package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/seed-797f2c2c/forge"
)

// sse streams events as a browser's EventSource takes them. A browser that was
// cut off says which event it saw last, and nothing is missed. Use f.For(owner)
// to show an owner its own events alone.
func sse(f *forge.Forge) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		filter := &forge.EventFilter{After: forge.Beginning}
		if last, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
			filter.After = last
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // nginx passes each event on at once
		flusher := http.NewResponseController(w)
		for event, err := range f.Events(r.Context(), filter) {
			if err != nil {
				return // gone, or too far behind: the page is loaded anew
			}
			data, err := json.Marshal(event)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", event.Seq, data); err != nil {
				return
			}
			if err := flusher.Flush(); err != nil {
				return
			}
		}
	})
}
