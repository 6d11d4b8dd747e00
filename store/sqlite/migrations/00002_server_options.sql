ALTER TABLE servers ADD COLUMN options text;
ALTER TABLE servers ADD COLUMN user_data blob;
