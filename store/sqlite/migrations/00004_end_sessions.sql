ALTER TABLE grants ADD COLUMN end_sessions integer NOT NULL DEFAULT 0;
