package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/seed-797f2c2c/forge"
)

// handlers call forge's services.
type handlers struct {
	forge  *forge.Forge
	logger *slog.Logger
}

func (h *handlers) handle(mux *http.ServeMux) {
	mux.HandleFunc("POST /servers", h.createServer)
	mux.HandleFunc("GET /servers", h.listServers)
	mux.HandleFunc("GET /actions/{id}", h.showAction)
	mux.HandleFunc("GET /actions/{id}/log", h.followAction)
}

// of is what the caller may see and change, and who that is. A real program takes
// both from its session, never from a header.
func (h *handlers) of(r *http.Request) *forge.Forge {
	return h.forge.For(r.Header.Get("Account")).As(r.Header.Get("User"))
}

func (h *handlers) createServer(w http.ResponseWriter, r *http.Request) {
	server, action, err := h.of(r).Servers.Create(r.Context(), forge.ServerOpts{
		Name: r.FormValue("name"), Provider: "own", Address: r.FormValue("address"), Image: "debian-12",
		IdempotencyKey: r.Header.Get("Idempotency-Key"),
	})
	h.answer(w, r, map[string]any{"server": server, "action": action}, err)
}

func (h *handlers) listServers(w http.ResponseWriter, r *http.Request) {
	servers, err := h.of(r).Servers.List(r.Context(), forge.ServerFilter{}, forge.Page{After: r.FormValue("after")})
	h.answer(w, r, servers, err)
}

func (h *handlers) showAction(w http.ResponseWriter, r *http.Request) {
	action, err := h.of(r).Actions.Get(r.Context(), r.PathValue("id"))
	h.answer(w, r, action, err)
}

// followAction streams the lines of an action, as they come, until it ends.
func (h *handlers) followAction(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	flusher := http.NewResponseController(w)
	begun := false
	for line, err := range h.of(r).Actions.Follow(r.Context(), r.PathValue("id"), 0) {
		switch {
		case r.Context().Err() != nil: // the reader has left, or this process ends
			return
		case err != nil && begun:
			h.logger.ErrorContext(r.Context(), "a log was cut off", "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler) // so that nobody takes it for the whole
		case err != nil:
			h.fail(w, r, err)
			return
		}
		begun = true
		if _, err := fmt.Fprintln(w, line.Printable()); err != nil || flusher.Flush() != nil {
			return
		}
	}
}

// answer hides what records keep to themselves: secrets have no JSON.
func (h *handlers) answer(w http.ResponseWriter, r *http.Request, body any, err error) {
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.logger.InfoContext(r.Context(), "an answer was not sent", "error", err)
	}
}

func (h *handlers) fail(w http.ResponseWriter, r *http.Request, err error) {
	for class, status := range map[error]int{
		forge.ErrInvalid: http.StatusUnprocessableEntity, forge.ErrNotFound: http.StatusNotFound,
		forge.ErrDenied: http.StatusForbidden, forge.ErrConflict: http.StatusConflict, forge.ErrState: http.StatusConflict,
	} {
		if errors.Is(err, class) {
			http.Error(w, err.Error(), status)
			return
		}
	}
	h.logger.ErrorContext(r.Context(), "a request failed", "path", r.URL.Path, "error", err)
	http.Error(w, "that did not work; try again later", http.StatusInternalServerError)
}
