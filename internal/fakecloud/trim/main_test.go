package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

const whole = `{
 "openapi": "3.0.0", "info": {"title": "things", "version": "1", "description": "long"}, "servers": [{"url": "https://api.example.test"}],
 "paths": {
  "/things/{id}": {
   "parameters": [{"$ref": "#/components/parameters/id"}],
   "get": {"summary": "text", "x-samples": [], "responses": {"200": {"$ref": "#/components/responses/thing"}}},
   "delete": {"responses": {"204": {"description": "gone"}}}},
  "/others": {"get": {"responses": {"200": {"$ref": "#/components/responses/other"}}}}},
 "components": {
  "parameters": {"id": {"name": "id", "in": "path", "required": true, "description": "text", "schema": {"type": "integer", "example": 7}}},
  "responses": {"thing": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}, "other": {"description": "text"}},
  "schemas": {
   "thing": {"type": "object", "properties": {"description": {"type": "string", "description": "text"}, "x-ray": {"type": "string"},
    "next": {"allOf": [{"$ref": "#/components/schemas/thing"}, {"description": "text"}]}}}}}}`

const small = `{
 "openapi": "3.0.0", "info": {"title": "things", "version": "1"}, "servers": [{"url": "https://api.example.test"}],
 "paths": {
  "/things/{id}": {
   "parameters": [{"$ref": "#/components/parameters/id"}],
   "get": {"responses": {"200": {"$ref": "#/components/responses/thing"}}}}},
 "components": {
  "parameters": {"id": {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}},
  "responses": {"thing": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}},
  "schemas": {
   "thing": {"type": "object", "properties": {"description": {"type": "string"}, "x-ray": {"type": "string"},
    "next": {"allOf": [{"$ref": "#/components/schemas/thing"}]}}}}}}`

func TestTrim(t *testing.T) {
	t.Parallel()
	var in map[string]any
	require.NoError(t, json.Unmarshal([]byte(whole), &in))
	out, err := trim(in, []string{"GET /things/{id}"})
	require.NoError(t, err)
	text, err := json.Marshal(out)
	require.NoError(t, err)
	require.JSONEq(t, small, string(text))

	for _, unknown := range []string{"GET /thongs", "PATCH /things/{id}"} {
		_, err := trim(in, []string{unknown})
		require.ErrorContains(t, err, unknown[len("GET "):])
	}
}
