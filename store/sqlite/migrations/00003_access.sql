ALTER TABLE servers ADD COLUMN bare integer NOT NULL DEFAULT 0;
ALTER TABLE servers ADD COLUMN control_key_made integer;
ALTER TABLE servers ADD COLUMN next_public_key text NOT NULL DEFAULT '';
ALTER TABLE servers ADD COLUMN next_control_key blob;
ALTER TABLE servers ADD COLUMN old_public_key text NOT NULL DEFAULT '';
UPDATE servers SET control_key_made = created;

ALTER TABLE grants ADD COLUMN public text NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN wanted integer NOT NULL DEFAULT 0;
UPDATE grants SET wanted = status IN ('pending', 'synced', 'failed');
UPDATE grants SET public = coalesce((SELECT keys.public FROM keys WHERE keys.id = grants.key), '');
