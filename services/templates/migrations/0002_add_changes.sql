-- Our edits of the last 30 days, made while the template was APPROVED: WhatsApp takes few of them.
alter table templates.templates add column edits timestamptz[] not null default '{}';

-- When we last changed a template of the account; null: never. A reading that began before may show the time before it.
alter table templates.accounts add column changed_at timestamptz;

-- load_template_by_id
create index templates_id on templates.templates (template_id);
