-- The relay: who carries the log to the broker, and how far.

create schema fanout;

-- One row: a lease (its holder, until when, and an epoch that grows with each new holder) and the checkpoint, up to
-- which the broker has confirmed every event, with the id of the event there, so that a forked log is seen.
create table fanout.relay (
    single boolean primary key default true check (single),
    holder uuid,
    epoch bigint not null default 0,
    until timestamptz not null default '-infinity',
    position bigint not null default 0,
    event_id uuid
);

insert into fanout.relay default values;

grant usage on schema fanout to afterschool_projector, afterschool_app;
grant select, update on fanout.relay to afterschool_projector;
grant select on fanout.relay to afterschool_app;
