-- +goose Up
ALTER TABLE servers
    ADD COLUMN options jsonb,
    ADD COLUMN user_data bytea;
