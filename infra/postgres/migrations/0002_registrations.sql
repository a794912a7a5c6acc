-- Registrations: the e-mails being registered right now, by keyed hash; a row lives from claim to settlement.

create table registrations (
    email_hmac bytea primary key,
    user_id uuid not null unique,
    command_id uuid not null,
    claimed_at timestamptz not null
);

create index registrations_claimed_at on registrations (claimed_at);

grant select, insert, update, delete on registrations to afterschool_app;
