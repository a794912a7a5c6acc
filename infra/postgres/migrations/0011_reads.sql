-- The read ledger: every read of a child's data by anyone but the child; append-only like the log.

create table reads (
    -- 1, 2, 3 ... in commit order, so that what was hashed up to an id stays as it was.
    id bigint primary key check (id > 0),
    at timestamptz not null,
    actor uuid not null,
    -- In what capacity: guardian, or an office of staff.
    role text not null,
    student uuid not null,
    -- The operation, as OpenAPI names it.
    what text not null,
    -- What allowed it.
    why text not null,
    -- On the first row of those that were written at once, so that they are never written again.
    batch uuid
);

create index reads_student on reads (student, id desc);
create index reads_actor on reads (actor, id desc);
create unique index reads_batch on reads (batch) where batch is not null;

create function refuse_change_of_reads() returns trigger language plpgsql as $$
begin
    raise exception 'the read ledger is append-only: % on % is refused', tg_op, tg_table_name using errcode = '42501';
end
$$;

create trigger reads_append_only before update or delete or truncate on reads
    for each statement execute function refuse_change_of_reads();

-- Writes a batch behind the last row, under a lock that is held until it is visible; a batch that is there stays one.
create function note_reads(
    this_batch uuid, r_at timestamptz[], r_actor uuid[], r_role text[], r_student uuid[], r_what text[], r_why text[]
) returns void language plpgsql
    set enable_seqscan = off
as $$
declare
    head bigint;
begin
    perform pg_advisory_xact_lock(7111);
    if exists (select from reads where batch = this_batch) then
        return;
    end if;
    select id into head from reads order by id desc limit 1;
    insert into reads
    select
        coalesce(head, 0) + r.ordinal, r.at, r.actor, r.role, r.student, r.what, r.why,
        case when r.ordinal = 1 then this_batch end
    from unnest(r_at, r_actor, r_role, r_student, r_what, r_why)
        with ordinality as r(at, actor, role, student, what, why, ordinal);
end
$$;

grant select, insert on reads to afterschool_app;
