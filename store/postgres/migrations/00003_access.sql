-- +goose Up
ALTER TABLE servers
    ADD COLUMN bare boolean NOT NULL DEFAULT false,
    ADD COLUMN control_key_made timestamptz,
    ADD COLUMN next_public_key text NOT NULL DEFAULT '',
    ADD COLUMN next_control_key bytea,
    ADD COLUMN old_public_key text NOT NULL DEFAULT '';

UPDATE servers SET control_key_made = created;

ALTER TABLE grants
    ADD COLUMN public text NOT NULL DEFAULT '',
    ADD COLUMN wanted boolean NOT NULL DEFAULT false;

UPDATE grants SET wanted = status IN ('pending', 'synced', 'failed');
UPDATE grants SET public = keys.public FROM keys WHERE keys.id = grants.key;
