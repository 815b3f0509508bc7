-- How long WhatsApp tries to deliver a message of the template, as it reports it: -1 is 30 days. Null: its default, or not told.
alter table templates.templates add column message_send_ttl_seconds integer;
