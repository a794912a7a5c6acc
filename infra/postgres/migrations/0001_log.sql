-- The log: events and commands, append-only, and the one function that appends.
-- Roles are cluster-wide and may exist already; the migrating owner may act as each of them.

do $$
declare
    role_name text;
begin
    foreach role_name in array array['afterschool_app', 'afterschool_projector', 'afterschool_keys'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
        execute format('grant %I to %I', role_name, current_user);
    end loop;
end
$$;

create table events (
    format smallint not null check (format = 1),
    position bigint primary key check (position > 0),
    part smallint not null check (part between 0 and 63),
    stream text not null,
    version int not null check (version > 0),
    event_id uuid not null,
    type text not null,
    schema smallint not null,
    subject uuid,
    command_id uuid not null,
    causation_id uuid not null,
    correlation_id uuid not null,
    actor uuid not null,
    on_behalf_of uuid,
    consent_id uuid,
    traceparent text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    data json not null,
    sealed bytea,
    commitment bytea,
    unique (stream, version)
);

create index events_subject_position on events (subject, position);

create table commands (
    command_id uuid primary key,
    operation text not null,
    fingerprint bytea not null,
    fingerprint_key smallint not null,
    first_position bigint not null,
    last_position bigint not null
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on % is refused', tg_op, tg_table_name using errcode = '42501';
end
$$;

create trigger events_append_only before update or delete or truncate on events
    for each statement execute function refuse_change();
create trigger commands_append_only before update or delete or truncate on commands
    for each statement execute function refuse_change();

-- The head of a stream: its last version, 0 where it has not begun.
create function stream_head(of_stream text) returns int language sql stable
    set enable_seqscan = off
as $$
    select coalesce((select version from events where stream = of_stream order by version desc limit 1), 0)
$$;

-- Appends a batch of commands in queue order, each all or nothing, and never refuses one for its neighbour's sake.
--
-- Positions are dense and in commit order, because they are drawn behind the last row under a lock that is held until
-- the commit is visible. Each statement takes its own snapshot (read committed), so the head is read after the lock.
--
-- Commands c_*: ids and fingerprints, and the ordinals of their first and last event in the batch.
-- Heads h_*: which stream must be at which version for command h_command (its own exact writes, and its guards).
-- Events e_*: version 0 means "wherever the stream ends", plus e_nth, the how-manieth such event of its stream here.
-- A list that says nothing may be null: c_first, c_last and e_command where every command has one event, e_version where
-- all is appended at the end, e_nth where no stream recurs, e_causation and e_correlation where they are the command
-- itself, e_actor where it is the subject. c_operation, c_fingerprint_key, e_type and e_schema may hold one entry for all.
-- touched_twice: some stream is checked and also written more than once in this batch, so order within it matters.
--
-- Answers base (the head before) and one verdict a command, or a null list when all were accepted as sent:
-- 'a' accepted, 'k' known before (with its stored fingerprint), 's' stale.
create function append(
    sent_at timestamptz,
    touched_twice boolean,
    c_id uuid[], c_operation text[], c_fingerprint bytea[], c_fingerprint_key smallint[], c_first int[], c_last int[],
    h_command int[], h_stream text[], h_version int[],
    e_part smallint[], e_stream text[], e_version int[], e_nth int[], e_id uuid[], e_type text[], e_schema smallint[],
    e_subject uuid[], e_command uuid[], e_causation uuid[], e_correlation uuid[], e_actor uuid[],
    e_on_behalf_of uuid[], e_consent uuid[], e_traceparent text[], e_occurred_at timestamptz[],
    e_data text[], e_sealed bytea[], e_commitment bytea[],
    out base bigint, out stamp timestamptz, out verdicts text[], out firsts bigint[], out lasts bigint[],
    out stamps timestamptz[], out known_fingerprints bytea[], out known_keys smallint[]
) language plpgsql
    set enable_seqscan = off
    set enable_bitmapscan = off
    set jit = off
as $$
declare
    previous timestamptz;
    next bigint;
    known commands%rowtype;
    h int := 1;
    stale boolean;
    a int;
    b int;
begin
    if abs(extract(epoch from clock_timestamp() - sent_at)) > 60 then
        raise exception 'clocks differ' using errcode = 'AS001';
    end if;
    perform pg_advisory_xact_lock(7001);
    select position, recorded_at into base, previous from events order by position desc limit 1;
    base := coalesce(base, 0);
    stamp := greatest(clock_timestamp(), previous);

    if not touched_twice and not exists (
        select from unnest(h_stream, h_version) as h(stream, version)
        where coalesce(
            (select e.version from events as e where e.stream = h.stream order by e.version desc limit 1), 0
        ) <> h.version
    ) then
        begin
            insert into commands
            select
                c.id, coalesce(c.operation, c_operation[1]), c.fingerprint,
                coalesce(c.fingerprint_key, c_fingerprint_key[1]),
                base + coalesce(c.first, c.ordinal), base + coalesce(c.last, c.ordinal)
            from unnest(c_id, c_operation, c_fingerprint, c_fingerprint_key, c_first, c_last)
                with ordinality as c(id, operation, fingerprint, fingerprint_key, first, last, ordinal);
            insert into events
            select
                1, base + i.ordinal, i.part, i.stream,
                case when i.version > 0 then i.version else coalesce(i.nth, 1) + coalesce(
                    (select e.version from events as e where e.stream = i.stream order by e.version desc limit 1), 0
                ) end,
                i.id, coalesce(i.type, e_type[1]), coalesce(i.schema, e_schema[1]), i.subject,
                coalesce(i.command, c_id[i.ordinal]), coalesce(i.causation, i.command, c_id[i.ordinal]),
                coalesce(i.correlation, i.command, c_id[i.ordinal]), coalesce(i.actor, i.subject),
                i.on_behalf_of, i.consent, i.traceparent, i.occurred_at, stamp, i.data::json, i.sealed, i.commitment
            from unnest(
                e_part, e_stream, e_version, e_nth, e_id, e_type, e_schema, e_subject, e_command, e_causation,
                e_correlation, e_actor, e_on_behalf_of, e_consent, e_traceparent, e_occurred_at, e_data, e_sealed,
                e_commitment
            ) with ordinality as i(
                part, stream, version, nth, id, type, schema, subject, command, causation,
                correlation, actor, on_behalf_of, consent, traceparent, occurred_at, data, sealed,
                commitment, ordinal
            );
            perform pg_notify('events', (base + cardinality(e_id))::text);
            return;
        exception when unique_violation then
            null; -- somebody is known already: sort them out below, one by one
        end;
    end if;

    next := base;
    for c in 1 .. cardinality(c_id) loop
        stale := false;
        while h <= cardinality(h_command) and h_command[h] = c loop
            stale := stale or stream_head(h_stream[h]) <> h_version[h];
            h := h + 1;
        end loop;
        select * into known from commands where command_id = c_id[c];
        if found then
            verdicts[c] := 'k';
            firsts[c] := known.first_position;
            lasts[c] := known.last_position;
            known_fingerprints[c] := known.fingerprint;
            known_keys[c] := known.fingerprint_key;
            stamps[c] := (select recorded_at from events where position = known.first_position);
            continue;
        end if;
        if stale then
            verdicts[c] := 's';
            firsts[c] := null;
            lasts[c] := null;
            stamps[c] := null;
            known_fingerprints[c] := null;
            known_keys[c] := null;
            continue;
        end if;
        a := coalesce(c_first[c], c);
        b := coalesce(c_last[c], c);
        verdicts[c] := 'a';
        firsts[c] := next + 1;
        lasts[c] := next + 1 + b - a;
        stamps[c] := stamp;
        known_fingerprints[c] := null;
        known_keys[c] := null;
        insert into commands
        values (
            c_id[c], coalesce(c_operation[c], c_operation[1]), c_fingerprint[c],
            coalesce(c_fingerprint_key[c], c_fingerprint_key[1]), firsts[c], lasts[c]
        );
        for n in a .. b loop
            next := next + 1;
            insert into events values (
                1, next, e_part[n], e_stream[n],
                case when e_version[n] > 0 then e_version[n] else stream_head(e_stream[n]) + 1 end,
                e_id[n], coalesce(e_type[n], e_type[1]), coalesce(e_schema[n], e_schema[1]), e_subject[n], c_id[c],
                coalesce(e_causation[n], c_id[c]), coalesce(e_correlation[n], c_id[c]),
                coalesce(e_actor[n], e_subject[n]), e_on_behalf_of[n], e_consent[n], e_traceparent[n], e_occurred_at[n], stamp,
                e_data[n]::json, e_sealed[n], e_commitment[n]
            );
        end loop;
    end loop;
    if next > base then
        perform pg_notify('events', next::text);
    end if;
end
$$;

-- The bytes of one column in a leaf: length (int32 big-endian, -1 for null), then the bytes.
create function leaf_field(bytes bytea) returns bytea language sql immutable parallel safe as $$
    select coalesce(int4send(octet_length(bytes)) || bytes, '\xffffffff'::bytea)
$$;

-- The leaf of an event in the evidence tree (docs/auditing.md): SHA-256(0x00 || record).
create function event_leaf(e events) returns bytea language sql immutable parallel safe as $$
    select sha256(
        '\x00'::bytea
        || leaf_field(int2send(e.format)) || leaf_field(int8send(e.position)) || leaf_field(int2send(e.part))
        || leaf_field(convert_to(e.stream, 'UTF8')) || leaf_field(int4send(e.version))
        || leaf_field(uuid_send(e.event_id)) || leaf_field(convert_to(e.type, 'UTF8'))
        || leaf_field(int2send(e.schema)) || leaf_field(uuid_send(e.subject))
        || leaf_field(uuid_send(e.command_id)) || leaf_field(uuid_send(e.causation_id))
        || leaf_field(uuid_send(e.correlation_id)) || leaf_field(uuid_send(e.actor))
        || leaf_field(uuid_send(e.on_behalf_of)) || leaf_field(uuid_send(e.consent_id))
        || leaf_field(convert_to(e.traceparent, 'UTF8'))
        || leaf_field(int8send((extract(epoch from e.occurred_at) * 1000000)::bigint))
        || leaf_field(int8send((extract(epoch from e.recorded_at) * 1000000)::bigint))
        || leaf_field(sha256(convert_to(e.data::text, 'UTF8'))) || leaf_field(sha256(e.sealed))
        || leaf_field(e.commitment)
    )
$$;

create schema keys;

create table keys.person_keys (
    key_id uuid primary key,
    person_id uuid not null unique,
    master smallint not null,
    wrapped bytea not null,
    created_at timestamptz not null default now()
);

create index person_keys_master on keys.person_keys (master);

revoke all on schema public from public;
grant usage on schema public to afterschool_app, afterschool_projector;
grant select, insert on events, commands to afterschool_app;
grant select on events, commands to afterschool_projector;
grant usage on schema keys to afterschool_keys;
grant select, insert, update, delete on keys.person_keys to afterschool_keys;
