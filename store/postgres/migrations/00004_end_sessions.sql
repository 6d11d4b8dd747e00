-- +goose Up
ALTER TABLE grants ADD COLUMN end_sessions boolean NOT NULL DEFAULT false;
